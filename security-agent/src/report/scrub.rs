//! Blots out secrets in the command lines that signals show. Rules see them as they were.
//!
//! An argument whose name says that a secret follows (`--db-password=…`, `api_key: …`, `--token …`) loses what follows:
//! the rest of its word, or the next word. Words are looked for within arguments too, as a shell gets its whole script in
//! one. Passwords in URLs and `Authorization` headers go as well.

use model::report::Scrub;

/// What stands in the place of a secret.
pub const BLOT: &str = "********";

/// Names after which a secret follows; `*` stands for anything. Those of CWS, and the two headers.
const WORDS: [&str; 12] = [
    "*password*",
    "*passwd*",
    "*mysql_pwd*",
    "*access_token*",
    "*auth_token*",
    "*api_key*",
    "*apikey*",
    "*secret*",
    "*credentials*",
    "stripetoken",
    "authorization",
    "bearer",
];

/// Longest custom word, and most of them: each is compared with every word of every command line that is shown.
const MAX_WORDS: usize = 256;
const MAX_WORD_LENGTH: usize = 256;

/// Finds secrets.
#[derive(Debug, Clone)]
pub struct Scrubber {
    /// Lower-case patterns, split at their stars.
    words: Vec<Vec<String>>,
}

impl Scrubber {
    /// With the built-in words and those of the configuration.
    #[must_use]
    pub fn new(custom: &[String]) -> Self {
        let custom = custom.iter().filter(|word| !word.is_empty() && word.len() <= MAX_WORD_LENGTH);
        let words = WORDS.into_iter().chain(custom.take(MAX_WORDS).map(String::as_str));
        let split = |word: &str| word.to_ascii_lowercase().split('*').map(str::to_owned).collect();
        Self { words: words.map(split).collect() }
    }

    /// `text` with secrets blotted out.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        self.one(text, &mut false)
    }

    /// One argument; `expected`: a word before it announced a secret.
    fn one(&self, argument: &str, expected: &mut bool) -> String {
        let mut scrubbed = String::with_capacity(argument.len());
        for piece in argument.split_inclusive(char::is_whitespace) {
            let word = piece.trim_end();
            let (word, space) = piece.split_at(word.len());
            if !word.is_empty() {
                scrubbed.push_str(&self.word(word, expected));
            }
            scrubbed.push_str(space);
        }
        scrubbed
    }

    fn word(&self, word: &str, expected: &mut bool) -> String {
        let was_expected = std::mem::take(expected);
        let bare = word.trim_start_matches(['-', '"', '\'']);
        if let Some((name, value)) = bare.split_once(['=', ':'])
            && self.is_announced_by(name)
        {
            let shown = word.len() - value.len();
            if value.trim_matches(['"', '\'']).is_empty() {
                // `Authorization: …`: the secret is the next word.
                *expected = true;
                return word.to_owned();
            }
            return format!("{}{BLOT}", &word[..shown]);
        }
        if self.is_announced_by(bare.trim_end_matches(['"', '\''])) {
            *expected = true;
            return word.to_owned();
        }
        // What begins with a dash is the next option, not the value of the one before.
        if was_expected && !word.starts_with('-') {
            // `Authorization: Basic …`: the scheme may be seen, the rest not.
            *expected = word.eq_ignore_ascii_case("basic") || word.eq_ignore_ascii_case("token");
            return if *expected { word.to_owned() } else { BLOT.to_owned() };
        }
        without_url_password(word)
    }

    fn is_announced_by(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        self.words.iter().any(|pattern| matches(&name, pattern))
    }
}

impl Scrub for Scrubber {
    fn arguments(&self, arguments: Vec<String>) -> Vec<String> {
        let mut expected = false;
        arguments.iter().map(|argument| self.one(argument, &mut expected)).collect()
    }
}

/// Whether `text` is made of the parts, in order, with anything between.
fn matches(text: &str, parts: &[String]) -> bool {
    let [first, middle @ .., last] = parts else { return parts.first().is_some_and(|only| only == text) };
    let Some(mut rest) = text.strip_prefix(first.as_str()) else { return false };
    for part in middle {
        match rest.find(part.as_str()) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last.as_str())
}

/// `scheme://user:password@host` without the password.
fn without_url_password(word: &str) -> String {
    let url = || {
        let start = word.find("://")? + 3;
        let authority = word[start..].split(['/', '?', '#']).next()?;
        let (user, _) = authority.rsplit_once('@')?;
        let (name, password) = user.split_once(':')?;
        let at = start + name.len() + 1;
        (!password.is_empty()).then(|| format!("{}{BLOT}{}", &word[..at], &word[at + password.len()..]))
    };
    url().unwrap_or_else(|| word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrub(arguments: &[&str]) -> String {
        let custom = ["*sesame*".to_owned(), "pin".to_owned(), String::new()];
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        Scrubber::new(&custom).arguments(arguments).join("|")
    }

    #[test]
    fn secrets_go_and_the_rest_stays() {
        for (arguments, expected) in [
            (&["--password=hunter2", "-u", "root"][..], "--password=********|-u|root"),
            (&["--password", "hunter2", "-u"], "--password|********|-u"),
            (&["--password", "-u", "root"], "--password|-u|root"),
            (&["DB_PASSWORD=x", "cmd"], "DB_PASSWORD=********|cmd"),
            (
                &["-c", "mysql --Password=x; curl -H 'Api_Key: y' z"],
                "-c|mysql --Password=******** curl -H 'Api_Key: ******** z",
            ),
            (&["-H", "Authorization: Bearer abc", "x"], "-H|Authorization: Bearer ********|x"),
            (&["-H", "Authorization: Basic abc", "x"], "-H|Authorization: Basic ********|x"),
            (&["https://me:pw@host/x?y=1"], "https://me:********@host/x?y=1"),
            (&["https://host:80/x@y"], "https://host:80/x@y"),
            (&["stripetoken", "x"], "stripetoken|********"),
            (&["mystripetoken", "x"], "mystripetoken|x"),
            (
                &["--open-sesame-now=1", "--pin", "1234", "--pinned", "y"],
                "--open-sesame-now=********|--pin|********|--pinned|y",
            ),
            (&["ls", "-la", "/tmp"], "ls|-la|/tmp"),
            (&["", " ", "a  b"], "| |a  b"),
            (&["--secret="], "--secret="),
        ] {
            assert_eq!(scrub(arguments), expected);
        }
    }

    #[test]
    fn text_that_is_odd_is_no_problem() {
        for text in
            ["=", ":", "://:@", "://u:p@", "é=ü", "password=ü", "--", "\u{a0}password\u{a0}x", "p://é:ü@"]
        {
            assert!(Scrubber::new(&[]).text(text).len() <= text.len() + BLOT.len());
        }
        assert_eq!(Scrubber::new(&[]).text("p://é:ü@h"), "p://é:********@h");
    }
}
