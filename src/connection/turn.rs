//! One exchange on a connection: from the head that was found to what becomes of the connection.

use std::borrow::Cow;
use std::mem;
use std::time::Duration;

use super::input::Texts;
use super::outgoing::Terms;
use super::request_body::{Body, RequestBody};
use super::response_writer::ResponseWriter;
use super::{Connection, Ending};
use crate::exchange::{Exchange, Headers};
use crate::http1::Refusal;
use crate::http1::chunked::Decoder;
use crate::http1::framing::BodyLength;
use crate::http1::head::{self, Extent, Found, Head};

impl Connection {
    /// Takes the head that [`poll_request`](Self::poll_request) has found, and has the exchange answered;
    /// with a refusal if it is to be refused. `server_keeps` says whether the server's version allows the
    /// connection to be kept.
    pub(crate) fn exchange<R>(
        &mut self,
        server_keeps: bool,
        answer: impl FnOnce(Exchange<'_>, Option<Refusal>) -> R,
    ) -> R {
        let Connection {
            channel,
            input,
            body,
            found,
            refusal,
            refused,
            client_ends,
            takes_time,
            ..
        } = self;
        // Of a head that is refused unfinished there is the request line, or nothing.
        let found = found
            .take()
            .or_else(|| input.refused_line().map(Found::Other));
        let found = found.unwrap_or(Found::Other(Extent::default()));
        input.reset_scan();
        let Extent { start, end } = found.extent();
        let (bytes, ahead, texts) = input.split(start, end);
        let Texts {
            scratch,
            path: whole_path,
            last_head,
        } = texts;
        let parsed = match refusal.take() {
            Some(refusal) => Err(refusal),
            None => head::parse(bytes, &found, scratch, last_head, &channel.limits.of_head()),
        };
        if let Some(attendant) = &channel.wire.attendant {
            let parsed = parsed.as_ref();
            let (method, path) = parsed.map_or(("", ""), |head| (head.command, &*head.target.path));
            *takes_time = attendant.before_handler(method, path);
            if *takes_time {
                // It fails again, and is reported, where the response is sent.
                let _ = channel.send_ready(false);
            }
        }
        let (head, refusal) = match parsed {
            Ok(head) => (head, None),
            Err(refusal) => {
                *refused = true;
                let requestline = head::first_line(head::text(bytes, scratch));
                (Head::refused(requestline), Some(refusal))
            }
        };
        let terms = Terms {
            client: head.version,
            is_head: head.requestline.starts_with("HEAD "),
            is_connect: head.command == "CONNECT",
        };
        *body = Body::default();
        let body_left = match head.meta.body {
            BodyLength::Exact(length) => length,
            BodyLength::Chunked => {
                body.decoder = Some(Decoder::new(channel.limits.of_chunks()));
                0
            }
        };
        *client_ends = !head.meta.keep_alive;
        let can_persist = server_keeps && head.meta.keep_alive;
        channel.begin(terms, !can_persist, body_left);
        let path = match head.target.path {
            Cow::Borrowed(path) => path,
            Cow::Owned(path) => {
                *whole_path = path;
                whole_path
            }
        };
        let exchange = Exchange {
            client_address: self.peer,
            server: &self.server,
            requestline: head.requestline,
            command: head.command,
            path,
            request_version: head.request_version,
            headers: Headers::new(head.fields),
            rfile: RequestBody {
                channel,
                body,
                ahead,
            },
            wfile: ResponseWriter { channel },
            close_connection: &channel.close,
            authority: head.target.authority,
            expects_continue: head.meta.expects_continue,
            redirects: 0,
        };
        answer(exchange, refusal)
    }

    /// The exchange is over: what is unread of its body is read off, or the connection ends. `cut` says
    /// that its response could not be completed.
    pub(crate) fn end_exchange(&mut self, cut: bool) {
        self.answered += 1;
        if mem::take(&mut self.takes_time)
            && let Some(attendant) = &self.channel.wire.attendant
        {
            attendant.after_handler();
        }
        let channel = &self.channel;
        let is_left = channel.detached.get() || channel.resets.get();
        if is_left || cut || channel.must_close() {
            self.end_last(is_left, cut);
        } else if !self.body.is_read(channel) {
            self.read_off();
        }
    }

    /// What is unread of the body is read, or the connection ends.
    #[cold]
    fn read_off(&mut self) {
        let patience = match self.is_alone {
            true => Duration::ZERO,
            false => self.channel.limits.drain_deadline,
        };
        if !self.rest_of_body().drain(patience) {
            self.ending = Ending::Linger;
        }
    }

    /// This was the last exchange of the connection.
    fn end_last(&mut self, is_left: bool, cut: bool) {
        if is_left || (cut && self.cut()) {
            self.ending = Ending::Close;
            return;
        }
        // A client that did not say so itself may be sending its next request just now.
        let pending = self.input.pending();
        let body = self.rest_of_body();
        let read_up = *body.ahead.drained && pending == 0 && body.remaining() == Some(0);
        let is_last = read_up && self.client_ends && !self.refused;
        let nobody = self.channel.is_broken() || self.channel.wire.control().is_cut();
        self.ending = match nobody {
            true => Ending::Close,
            false if is_last => Ending::Last,
            false => Ending::Linger,
        };
    }

    fn rest_of_body(&mut self) -> RequestBody<'_> {
        let (_, ahead, _) = self.input.split(0, 0);
        RequestBody {
            channel: &self.channel,
            body: &mut self.body,
            ahead,
        }
    }

    /// Ends in a way that can't be taken for the end of a response: with a reset (true), if there is no other.
    fn cut(&mut self) -> bool {
        let ambiguous = self.channel.out.borrow().ends_with_close();
        if ambiguous {
            // It fails only where there is no connection any more.
            let _ = self.channel.wire.reset_on_close();
            self.channel.resets.set(true);
        } else {
            self.channel.out.borrow_mut().give_up();
            let _ = self.channel.send_ready(false);
        }
        ambiguous
    }

    /// A handler ends the connection, or an error does, after exchanges that would have kept it.
    pub(crate) fn leave(&mut self) {
        let nobody = self.input.eof || self.channel.is_broken() || self.answered == 0;
        if self.ending == Ending::Open {
            self.ending = match nobody {
                true => Ending::Close,
                false => Ending::Linger,
            };
        }
    }
}
