use servette::{Exchange, Layer, RequestHandler, Result, Status};

pub struct Login<H> {
    pub password: String,
    pub inner: H,
}

impl<H: RequestHandler> Layer for Login<H> {
    fn inner(&self) -> &dyn RequestHandler {
        &self.inner
    }

    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        let reads = matches!(x.command, "GET" | "HEAD");
        let credentials = x.basic_auth();
        if reads || credentials.is_some_and(|who| who.is("anna", &self.password)) {
            return self.inner.do_method(x);
        }
        x.send_header("WWW-Authenticate", "Basic realm=\"notes\"");
        x.send_error(Status::UNAUTHORIZED)
    }
}
