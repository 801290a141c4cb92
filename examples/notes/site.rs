use servette::{Exchange, RequestHandler, Result, SimpleHandler};

pub struct Site<H> {
    pub notes: H,
    pub files: SimpleHandler,
}

impl<H: RequestHandler> RequestHandler for Site<H> {
    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        match x.strip_prefix("/files") {
            Some(mut x) => x.delegate_to(&self.files),
            None => x.delegate_to(&self.notes),
        }
    }

    fn protocol_version(&self) -> &str {
        "HTTP/1.1"
    }
}
