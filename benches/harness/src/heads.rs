//! The fields that clients send with every request. Each real client has its own, and repeats them: a
//! server that remembers the last head it parsed gains nothing from one that another client sends.

/// Which clients there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heads {
    /// Each connection has its own User-Agent, Accept and Cookie.
    Varied,
    /// All connections send the fields of one client, whose head has the average length.
    Same,
    /// No connection sends any.
    Bare,
}

impl Heads {
    /// The fields of one connection, which are the same in every run. Never the fields of another
    /// connection, if they are varied.
    pub fn fields(self, connection: usize) -> String {
        match self {
            Heads::Varied => client(connection),
            Heads::Same => client(AVERAGE),
            Heads::Bare => String::new(),
        }
    }
}

fn client(index: usize) -> String {
    let number = (100 + index % 900).to_string();
    let token: String = (1..8).map(|part| id(index + 10_000 * part)).collect();
    let fill = |texts: &[&str]| {
        let text = texts.get(index % texts.len()).copied();
        text.unwrap_or_default()
            .replace("{number}", &number)
            .replace("{id}", &id(index))
            .replace("{token}", &token)
    };
    format!(
        "User-Agent: {}\r\nAccept: {}\r\nCookie: {}\r\n",
        fill(&AGENTS),
        fill(&ACCEPTS),
        fill(&COOKIES)
    )
}

/// 32 digits that look like those of a session.
fn id(seed: usize) -> String {
    // The constants and shifts of SplitMix64.
    let half = |seed: u64| {
        let mut mixed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    let seed = 2 * seed as u64 + 1;
    format!("{:016x}{:016x}", half(seed), half(seed + 1))
}

/// The client whose head is about as long as those of the first 64 are on average.
const AVERAGE: usize = 32;

// 8, 5 and 7 texts, so that each combination of them is another client.
const AGENTS: [&str; 8] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:{number}.0) Gecko/20100101 Firefox/{number}.0",
    "curl/8.{number}.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{number}.0.0.0 Safari/537.36",
    "python-requests/2.{number}.3",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.{number} Mobile/15E148 Safari/604.1",
    "okhttp/4.{number}.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.{number} Safari/605.1.15",
    "Mozilla/5.0 (compatible; ExampleBot/2.{number}; +https://example.org/bot.html)",
];
const ACCEPTS: [&str; 5] = [
    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.{number}",
    "*/*;q=0.{number}",
    "application/json, text/plain;q=0.{number}",
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.{number}",
    "application/vnd.example.v{number}+json",
];
const COOKIES: [&str; 7] = [
    "session={id}",
    "_ga=GA1.2.1029384756.17{number}; sid={id}; theme=dark",
    "csrftoken={id}; sessionid={id}",
    "id={number}",
    "consent=yes; _ga=GA1.2.5647382910.17{number}; _gid=GA1.2.{number}; cart={id}; lang=en-GB; seen={number}",
    "token=eyJhbGciOiJIUzI1NiJ9.{token}.{id}",
    "JSESSIONID={id}.node{number}; remember={id}{id}",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn clients() -> Vec<String> {
        (0..64).map(|index| Heads::Varied.fields(index)).collect()
    }

    #[test]
    fn no_client_sends_a_field_of_another() {
        let clients = clients();
        let lines: BTreeSet<&str> = clients.iter().flat_map(|fields| fields.lines()).collect();
        assert_eq!(lines.len(), 3 * 64);
        assert_eq!(clients, self::clients(), "the same in every run");
    }

    #[test]
    fn lengths_vary_and_the_common_head_has_their_average() {
        let mut lengths: Vec<usize> = clients().iter().map(String::len).collect();
        let average = lengths.iter().sum::<usize>() / lengths.len();
        let same = Heads::Same.fields(7).len();
        assert!(same.abs_diff(average) * 20 < average, "{same}: {average}");
        lengths.sort_unstable();
        assert!(lengths[0] < 150 && lengths[63] > 450, "{lengths:?}");
        lengths.dedup();
        assert!(lengths.len() > 20, "{lengths:?}");
    }
}
