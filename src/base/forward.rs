//! Pointers to handlers are handlers: `&T`, `Box<T>` and `Arc<T>` hand on every hook.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use super::RequestHandler;
use crate::connection::{Connection, Next};
use crate::http1::date::HttpDate;
use crate::{Exchange, Result, Status};

macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl<T: RequestHandler + ?Sized> RequestHandler for $pointer {
            fn handle(&self, conn: &mut Connection) -> Result<Next> {
                (**self).handle(conn)
            }
            fn handle_one_request(&self, conn: &mut Connection) -> Result<()> {
                (**self).handle_one_request(conn)
            }
            fn handle_expect_100(&self, x: &mut Exchange<'_>) -> Result<bool> {
                (**self).handle_expect_100(x)
            }
            fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
                (**self).do_method(x)
            }
            fn send_error(&self, x: &mut Exchange<'_>, status: Status<'_>) -> Result<()> {
                (**self).send_error(x, status)
            }
            fn send_content(
                &self,
                x: &mut Exchange<'_>,
                status: Status<'_>,
                content_type: &str,
                body: &[u8],
            ) -> Result<()> {
                (**self).send_content(x, status, content_type, body)
            }
            fn send_response(&self, x: &mut Exchange<'_>, status: Status<'_>) {
                (**self).send_response(x, status);
            }
            fn send_response_only(&self, x: &mut Exchange<'_>, status: Status<'_>) {
                (**self).send_response_only(x, status);
            }
            fn send_header(&self, x: &mut Exchange<'_>, name: &str, value: &str) {
                (**self).send_header(x, name, value);
            }
            fn end_headers(&self, x: &mut Exchange<'_>) -> Result<()> {
                (**self).end_headers(x)
            }
            fn flush_headers(&self, x: &mut Exchange<'_>) -> Result<()> {
                (**self).flush_headers(x)
            }
            fn log_request(&self, x: &Exchange<'_>, code: u16, size: Option<u64>) {
                (**self).log_request(x, code, size);
            }
            fn log_error(&self, x: &Exchange<'_>, message: fmt::Arguments<'_>) {
                (**self).log_error(x, message);
            }
            fn log_message(&self, x: &Exchange<'_>, message: fmt::Arguments<'_>) {
                (**self).log_message(x, message);
            }
            fn server_version(&self) -> &str {
                (**self).server_version()
            }
            fn sys_version(&self) -> &str {
                (**self).sys_version()
            }
            fn version_string(&self) -> Cow<'_, str> {
                (**self).version_string()
            }
            fn protocol_version(&self) -> &str {
                (**self).protocol_version()
            }
            fn error_message_format(&self) -> &str {
                (**self).error_message_format()
            }
            fn error_content_type(&self) -> &str {
                (**self).error_content_type()
            }
            fn responses(&self, code: u16) -> Option<(&str, &str)> {
                (**self).responses(code)
            }
            fn date_time_string(&self, timestamp: Option<SystemTime>) -> HttpDate {
                (**self).date_time_string(timestamp)
            }
            fn log_date_time_string(&self) -> String {
                (**self).log_date_time_string()
            }
            fn address_string(&self, x: &Exchange<'_>) -> String {
                (**self).address_string(x)
            }
        }
    )*};
}

forward!(&T, Box<T>, Arc<T>);
