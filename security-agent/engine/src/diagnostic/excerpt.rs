//! The part of a line that a diagnostic shows.

/// Characters of a line that are shown; some policies hold thousands in one.
const SHOWN: usize = 120;

/// A line of a file, or the part of it around a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// The text, with `…` where it is cut.
    pub text: String,
    /// How many characters of the text are before the place.
    pub before: usize,
    /// How many characters the place has, at least one.
    pub length: usize,
}

impl Excerpt {
    /// The part of `line` around its character `column` (from 1).
    pub(super) fn new(line: &str, column: u32, length: u32) -> Self {
        let place = usize::try_from(column.saturating_sub(1)).unwrap_or(0);
        let from = if place > SHOWN * 2 / 3 { place - SHOWN / 3 } else { 0 };
        let mut chars = line.chars().skip(from).map(|c| if c.is_control() { ' ' } else { c });
        let mut text: String = if from > 0 { "…".to_owned() } else { String::new() };
        let before = place - from + usize::from(from > 0);
        text.extend(chars.by_ref().take(SHOWN));
        let shown = text.chars().count();
        if chars.next().is_some() {
            text.push('…');
        }
        let length = usize::try_from(length).unwrap_or(1).clamp(1, shown.saturating_sub(before).max(1));
        Excerpt { text, before, length }
    }
}

#[cfg(test)]
mod tests {
    use super::Excerpt;

    #[test]
    fn long_lines_are_cut_around_the_place() {
        let line = format!("{}HERE{}", "é".repeat(3000), "y".repeat(300));
        let excerpt = Excerpt::new(&line, 3001, 4);
        assert_eq!(excerpt.text.chars().nth(excerpt.before), Some('H'));
        assert!(excerpt.text.starts_with('…') && excerpt.text.ends_with('…') && excerpt.length == 4);
        assert!(excerpt.text.chars().count() < 140);
    }

    #[test]
    fn a_place_past_the_line_does_no_harm() {
        let excerpt = Excerpt::new("short", 40, 300);
        assert_eq!((excerpt.text.as_str(), excerpt.before, excerpt.length), ("short", 39, 1));
    }
}
