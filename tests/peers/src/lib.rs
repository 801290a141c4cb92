//! A small client of a shop, as the thing to test.

use std::io::Read;
use std::time::Duration;

use serde_json::{Value, json};

/// As often as a request is sent.
const ATTEMPTS: usize = 3;

pub struct Shop {
    base: String,
    agent: ureq::Agent,
}

#[derive(Debug, PartialEq)]
pub enum Error {
    NotFound,
    Timeout,
    Unavailable,
    Other(String),
}

impl From<ureq::Error> for Error {
    fn from(error: ureq::Error) -> Self {
        match error {
            ureq::Error::StatusCode(404) => Error::NotFound,
            ureq::Error::StatusCode(503) => Error::Unavailable,
            ureq::Error::Timeout(_) => Error::Timeout,
            other => Error::Other(other.to_string()),
        }
    }
}

impl Shop {
    pub fn new(base: &str, timeout: Duration) -> Self {
        let config = ureq::Agent::config_builder().timeout_global(Some(timeout));
        let agent = config.build().new_agent();
        Shop {
            base: base.trim_end_matches('/').to_owned(),
            agent,
        }
    }

    /// An article; tried again while the shop is busy, or hangs up.
    pub fn article(&self, id: u32) -> Result<Value, Error> {
        let url = format!("{}/articles/{id}", self.base);
        for attempt in 1.. {
            let result = self
                .agent
                .get(&url)
                .header("Authorization", "Bearer secret")
                .call();
            match result.map_err(Error::from) {
                Ok(mut answer) => return Ok(answer.body_mut().read_json()?),
                Err(Error::Unavailable | Error::Other(_)) if attempt < ATTEMPTS => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::Unavailable)
    }

    pub fn search(&self, words: &str) -> Result<Value, Error> {
        let request = self
            .agent
            .get(format!("{}/articles", self.base))
            .query("q", words);
        Ok(request.call()?.body_mut().read_json()?)
    }

    /// Orders it; the number of the order.
    pub fn order(&self, id: u32, count: u32) -> Result<u64, Error> {
        let order = json!({"article": id, "count": count, "client": "shop/1"});
        let url = format!("{}/orders", self.base);
        let answer: Value = self
            .agent
            .post(url)
            .send_json(order)?
            .body_mut()
            .read_json()?;
        answer["id"]
            .as_u64()
            .ok_or_else(|| Error::Other("no id".into()))
    }

    /// The catalogue, which goes on where the connection broke.
    pub fn catalogue(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        for _ in 0..ATTEMPTS {
            let mut request = self.agent.get(format!("{}/catalogue", self.base));
            if !bytes.is_empty() {
                request = request.header("Range", format!("bytes={}-", bytes.len()));
            }
            if request
                .call()?
                .body_mut()
                .as_reader()
                .read_to_end(&mut bytes)
                .is_ok()
            {
                return Ok(bytes);
            }
        }
        Err(Error::Unavailable)
    }
}

/// Fetches a text, in three attempts at most.
pub fn fetch(url: &str) -> Option<String> {
    let fetch = || ureq::get(url).call()?.body_mut().read_to_string();
    (0..ATTEMPTS).find_map(|_| fetch().ok())
}
