//! `upload-clients ureq|reqwest URL FILE [EXPECT]`: posts a file, and prints the status and the body of the answer.

use std::error::Error;
use std::fs::File;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [client, url, file, expects @ ..] = &arguments[..] else {
        return Err("upload-clients ureq|reqwest URL FILE [EXPECT]".into());
    };
    let (status, text) = match &**client {
        "ureq" => ureq(url, file, !expects.is_empty())?,
        _ => reqwest(url, file, !expects.is_empty())?,
    };
    print!("{status}\n{text}");
    Ok(())
}

fn ureq(url: &str, file: &str, expects: bool) -> Result<(u16, String), Box<dyn Error>> {
    let mut request = ureq::post(url)
        .config()
        .http_status_as_error(false)
        .build();
    if expects {
        request = request.header("Expect", "100-continue");
    }
    let mut response = request.send(File::open(file)?)?;
    let text = response.body_mut().read_to_string()?;
    Ok((response.status().as_u16(), text))
}

fn reqwest(url: &str, file: &str, expects: bool) -> Result<(u16, String), Box<dyn Error>> {
    let mut request = reqwest::blocking::Client::new()
        .post(url)
        .body(File::open(file)?);
    if expects {
        request = request.header("Expect", "100-continue");
    }
    let response = request.send()?;
    Ok((response.status().as_u16(), response.text()?))
}
