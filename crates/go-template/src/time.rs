//! Go's `time`, as far as templates meet it: layouts such as
//! `2006-01-02T15:04:05Z07:00`, written and read.
//!
//! There are no time zones but offsets and UTC: the local zone is UTC, as in
//! the image of the image-automation-controller.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

/// Names of the months.
pub static MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Names of the days, from Sunday.
pub static WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// `time.Time`: an instant and the offset that it is shown in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Time {
    at: Timestamp,
    offset: Offset,
    /// The name of the zone where it was read; UTC's is known.
    zone: String,
}

/// Why a text is not a time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("parsing time {text:?} as {layout:?}: cannot parse {rest:?} as {wanted:?}")]
pub struct NoTime {
    text: String,
    layout: String,
    rest: String,
    wanted: String,
}

impl Default for Time {
    /// Go's zero: the first second of the year 1.
    fn default() -> Self {
        Self::utc(Timestamp::from_second(-62_135_596_800).unwrap_or(Timestamp::UNIX_EPOCH))
    }
}

impl Time {
    /// An instant in UTC.
    #[must_use]
    pub fn utc(at: Timestamp) -> Self {
        Self {
            at,
            offset: Offset::UTC,
            zone: "UTC".to_owned(),
        }
    }

    /// The instant.
    #[must_use]
    pub fn timestamp(&self) -> Timestamp {
        self.at
    }

    /// What calendar and clock show.
    #[must_use]
    pub fn civil(&self) -> DateTime {
        self.offset.to_datetime(self.at)
    }

    /// The time so many nanoseconds later; `None` past the ends of time.
    #[must_use]
    pub fn plus(&self, nanoseconds: i64) -> Option<Self> {
        let later = self.at.as_nanosecond() + i128::from(nanoseconds);
        let at = Timestamp::from_nanosecond(later).ok()?;
        Some(Self { at, ..self.clone() })
    }

    /// Years, months and days later, as `Time.AddDate` counts: a day that a
    /// month does not have is one of the next. `None` past the ends of time.
    #[must_use]
    pub fn plus_date(&self, years: i64, months: i64, days: i64) -> Option<Self> {
        let now = self.civil();
        let months = i64::from(now.year())
            .checked_add(years)?
            .checked_mul(12)?
            .checked_add(i64::from(now.month()) - 1)?
            .checked_add(months)?;
        let year = i16::try_from(months.div_euclid(12)).ok()?;
        let month = i8::try_from(months.rem_euclid(12) + 1).ok()?;
        let first = jiff::civil::Date::new(year, month, 1).ok()?;
        let days = days.checked_add(i64::from(now.day()) - 1)?;
        let span = jiff::Span::new().try_days(days).ok()?;
        let date = first.checked_add(span).ok()?;
        let at = self
            .offset
            .to_timestamp(date.to_datetime(now.time()))
            .ok()?;
        Some(Self { at, ..self.clone() })
    }

    /// What `%#v` prints.
    #[must_use]
    pub fn go_string(&self) -> String {
        let now = self.civil();
        let month = MONTHS[usize::try_from(now.month() - 1).unwrap_or(0)];
        format!(
            "time.Date({}, time.{month}, {}, {}, {}, {}, {}, {})",
            now.year(),
            now.day(),
            now.hour(),
            now.minute(),
            now.second(),
            now.subsec_nanosecond(),
            if self.zone == "UTC" {
                "time.UTC".to_owned()
            } else {
                format!("time.Location({:?})", self.zone)
            },
        )
    }

    /// The same instant in UTC.
    #[must_use]
    pub fn to_utc(&self) -> Self {
        Self::utc(self.at)
    }

    /// The time in a layout, as `Time.Format` gives it.
    #[must_use]
    pub fn format(&self, layout: &str) -> String {
        let mut out = String::with_capacity(layout.len() + 8);
        let mut rest = layout;
        while let Some((before, element, after)) = next_element(rest) {
            out.push_str(before);
            self.write(element, &mut out);
            rest = after;
        }
        out.push_str(rest);
        out
    }

    fn write(&self, element: Element, out: &mut String) {
        use std::fmt::Write as _;
        let now = self.civil();
        let (date, clock) = (now.date(), now.time());
        let hour = clock.hour();
        let hour12 = if hour % 12 == 0 { 12 } else { hour % 12 };
        let weekday =
            WEEKDAYS[usize::try_from(date.weekday().to_sunday_zero_offset()).unwrap_or(0)];
        let month = MONTHS[usize::try_from(date.month() - 1).unwrap_or(0)];
        // Writing to a String cannot fail.
        _ = match element {
            Element::LongMonth => write!(out, "{month}"),
            Element::ShortMonth => write!(out, "{}", &month[..3]),
            Element::Month => write!(out, "{}", date.month()),
            Element::Month2 => write!(out, "{:02}", date.month()),
            Element::LongWeekday => write!(out, "{weekday}"),
            Element::ShortWeekday => write!(out, "{}", &weekday[..3]),
            Element::Day => write!(out, "{}", date.day()),
            Element::DayBlank => write!(out, "{:2}", date.day()),
            Element::Day2 => write!(out, "{:02}", date.day()),
            Element::YearDayBlank => write!(out, "{:3}", date.day_of_year()),
            Element::YearDay3 => write!(out, "{:03}", date.day_of_year()),
            Element::Hour24 => write!(out, "{hour:02}"),
            Element::Hour => write!(out, "{hour12}"),
            Element::Hour2 => write!(out, "{hour12:02}"),
            Element::Minute => write!(out, "{}", clock.minute()),
            Element::Minute2 => write!(out, "{:02}", clock.minute()),
            Element::Second => write!(out, "{}", clock.second()),
            Element::Second2 => write!(out, "{:02}", clock.second()),
            Element::LongYear => write!(out, "{:04}", date.year()),
            Element::Year2 => write!(out, "{:02}", date.year().rem_euclid(100)),
            Element::Pm => write!(out, "{}", if hour >= 12 { "PM" } else { "AM" }),
            Element::PmLower => write!(out, "{}", if hour >= 12 { "pm" } else { "am" }),
            Element::Zone => write!(out, "{}", self.zone_name()),
            Element::Offset { style, zulu } => {
                if zulu && self.offset.seconds() == 0 {
                    out.push('Z');
                } else {
                    out.push_str(&offset(self.offset.seconds(), style));
                }
                Ok(())
            }
            Element::Fraction {
                digits,
                separator,
                trims,
            } => {
                let nanos = format!("{:09}", clock.subsec_nanosecond());
                let mut shown = &nanos[..digits.min(9)];
                if trims {
                    shown = shown.trim_end_matches('0');
                }
                if !(trims && shown.is_empty()) {
                    _ = write!(out, "{separator}{shown}");
                }
                Ok(())
            }
        };
    }

    fn zone_name(&self) -> String {
        if !self.zone.is_empty() {
            return self.zone.clone();
        }
        offset(self.offset.seconds(), OffsetStyle::Minutes)
    }

    /// A time that a text gives in a layout, as `time.ParseInLocation` reads it
    /// where the location is UTC.
    ///
    /// # Errors
    /// What the layout does not say, or no calendar has.
    pub fn parse(layout: &str, text: &str) -> Result<Self, NoTime> {
        let mut read = Read::default();
        let (mut rest, mut wanted) = (text, layout);
        let fault = |rest: &str, wanted: &str| NoTime {
            text: text.to_owned(),
            layout: layout.to_owned(),
            rest: rest.to_owned(),
            wanted: wanted.to_owned(),
        };
        while let Some((before, element, after)) = next_element(wanted) {
            rest = skip_literal(rest, before).ok_or_else(|| fault(rest, before))?;
            let spelled = &wanted[before.len()..wanted.len() - after.len()];
            let follows_fraction =
                matches!(next_element(after), Some(("", Element::Fraction { .. }, _)));
            rest = read
                .element(element, rest, follows_fraction)
                .ok_or_else(|| fault(rest, spelled))?;
            wanted = after;
        }
        rest = skip_literal(rest, wanted).ok_or_else(|| fault(rest, wanted))?;
        if !rest.is_empty() {
            return Err(fault(rest, ""));
        }
        read.time().ok_or_else(|| fault(text, "date"))
    }
}

impl fmt::Display for Time {
    /// As `Time.String`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.format("2006-01-02 15:04:05.999999999 -0700 MST"))
    }
}

/// How an offset is spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OffsetStyle {
    Hours,
    Minutes,
    ColonMinutes,
    Seconds,
    ColonSeconds,
}

/// What a layout stands for at one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Element {
    LongMonth,
    ShortMonth,
    Month,
    Month2,
    LongWeekday,
    ShortWeekday,
    Day,
    DayBlank,
    Day2,
    YearDayBlank,
    YearDay3,
    Hour24,
    Hour,
    Hour2,
    Minute,
    Minute2,
    Second,
    Second2,
    LongYear,
    Year2,
    Pm,
    PmLower,
    Zone,
    Offset {
        style: OffsetStyle,
        zulu: bool,
    },
    Fraction {
        digits: usize,
        separator: char,
        trims: bool,
    },
}

/// Elements by how a layout spells them; of two that fit, the earlier counts.
const ELEMENTS: &[(&str, Element)] = &[
    ("January", Element::LongMonth),
    ("Jan", Element::ShortMonth),
    ("Monday", Element::LongWeekday),
    ("Mon", Element::ShortWeekday),
    ("MST", Element::Zone),
    ("002", Element::YearDay3),
    ("01", Element::Month2),
    ("02", Element::Day2),
    ("03", Element::Hour2),
    ("04", Element::Minute2),
    ("05", Element::Second2),
    ("06", Element::Year2),
    ("15", Element::Hour24),
    ("1", Element::Month),
    ("2006", Element::LongYear),
    ("2", Element::Day),
    ("__2", Element::YearDayBlank),
    ("_2006", Element::DayBlank),
    ("_2", Element::DayBlank),
    ("3", Element::Hour),
    ("4", Element::Minute),
    ("5", Element::Second),
    ("PM", Element::Pm),
    ("pm", Element::PmLower),
    ("-070000", offset_of(OffsetStyle::Seconds, false)),
    ("-07:00:00", offset_of(OffsetStyle::ColonSeconds, false)),
    ("-0700", offset_of(OffsetStyle::Minutes, false)),
    ("-07:00", offset_of(OffsetStyle::ColonMinutes, false)),
    ("-07", offset_of(OffsetStyle::Hours, false)),
    ("Z070000", offset_of(OffsetStyle::Seconds, true)),
    ("Z07:00:00", offset_of(OffsetStyle::ColonSeconds, true)),
    ("Z0700", offset_of(OffsetStyle::Minutes, true)),
    ("Z07:00", offset_of(OffsetStyle::ColonMinutes, true)),
    ("Z07", offset_of(OffsetStyle::Hours, true)),
];

const fn offset_of(style: OffsetStyle, zulu: bool) -> Element {
    Element::Offset { style, zulu }
}

/// The first element of a layout, with what is before and behind it.
fn next_element(layout: &str) -> Option<(&str, Element, &str)> {
    for (at, _) in layout.char_indices() {
        let rest = &layout[at..];
        if let Some((element, length)) = element_at(rest) {
            // `_2006` is a blank-less `_` and a year.
            let skipped = usize::from(rest.starts_with("_2006"));
            let at = at + skipped;
            return Some((&layout[..at], element, &layout[at + length..]));
        }
    }
    None
}

fn element_at(rest: &str) -> Option<(Element, usize)> {
    if rest.starts_with("_2006") {
        return Some((Element::LongYear, 4));
    }
    if let Some(found) = fraction_at(rest) {
        return Some(found);
    }
    for (spelled, element) in ELEMENTS {
        if !rest.starts_with(spelled) {
            continue;
        }
        let after = rest[spelled.len()..].bytes().next();
        // A short name followed by a small letter is another word.
        let is_short = matches!(element, Element::ShortMonth | Element::ShortWeekday);
        if is_short && after.is_some_and(|b| b.is_ascii_lowercase()) {
            continue;
        }
        return Some((*element, spelled.len()));
    }
    None
}

/// `.000`, `,999`: a run of one digit that no digit follows.
fn fraction_at(rest: &str) -> Option<(Element, usize)> {
    let separator = rest.chars().next().filter(|c| matches!(c, '.' | ','))?;
    let digit = rest[1..]
        .chars()
        .next()
        .filter(|c| matches!(c, '0' | '9'))?;
    let run = rest[1..].len() - rest[1..].trim_start_matches(digit).len();
    let after = rest[1 + run..].bytes().next();
    if after.is_some_and(|b| b.is_ascii_digit()) {
        return None;
    }
    let element = Element::Fraction {
        digits: run,
        separator,
        trims: digit == '9',
    };
    Some((element, 1 + run))
}

fn offset(seconds: i32, style: OffsetStyle) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let all = seconds.unsigned_abs();
    let (hours, minutes, seconds) = (all / 3600, all / 60 % 60, all % 60);
    match style {
        OffsetStyle::Hours => format!("{sign}{hours:02}"),
        OffsetStyle::Minutes => format!("{sign}{hours:02}{minutes:02}"),
        OffsetStyle::ColonMinutes => format!("{sign}{hours:02}:{minutes:02}"),
        OffsetStyle::Seconds => format!("{sign}{hours:02}{minutes:02}{seconds:02}"),
        OffsetStyle::ColonSeconds => format!("{sign}{hours:02}:{minutes:02}:{seconds:02}"),
    }
}

/// A fraction of any length, or none.
const FREE_FRACTION: Element = Element::Fraction {
    digits: 0,
    separator: '.',
    trims: true,
};

/// What was read of a time so far.
#[derive(Default)]
struct Read {
    year: Option<i16>,
    month: Option<i8>,
    day: Option<i8>,
    year_day: Option<i16>,
    hour: i8,
    minute: i8,
    second: i8,
    nanosecond: i32,
    is_pm: Option<bool>,
    offset: Option<i32>,
    zone: String,
}

impl Read {
    /// Reads an element, and gives what is behind it.
    fn element<'t>(
        &mut self,
        element: Element,
        text: &'t str,
        fraction_follows: bool,
    ) -> Option<&'t str> {
        match element {
            Element::LongMonth => self.month_name(text, &MONTHS),
            Element::ShortMonth => self.month_name(text, &MONTHS.map(|name| &name[..3])),
            Element::LongWeekday => name_of(text, &WEEKDAYS).map(|(_, rest)| rest),
            Element::ShortWeekday => {
                name_of(text, &WEEKDAYS.map(|name| &name[..3])).map(|(_, rest)| rest)
            }
            Element::Zone => self.zone_name(text),
            Element::Offset { style, zulu } => self.offset(text, style, zulu),
            Element::Fraction { digits, .. } => self.fraction(text, digits, element),
            Element::Pm => self.half_of_day(text, ["AM", "PM"]),
            Element::PmLower => self.half_of_day(text, ["am", "pm"]),
            Element::Second | Element::Second2 => {
                let rest = self.number(element, text)?;
                if fraction_follows {
                    return Some(rest);
                }
                // A fraction may follow that the layout does not say.
                self.fraction(rest, 0, FREE_FRACTION)
            }
            _ => self.number(element, text),
        }
    }

    fn half_of_day<'t>(&mut self, text: &'t str, words: [&str; 2]) -> Option<&'t str> {
        let word = text.get(..2)?;
        self.is_pm = Some(word == words[1]);
        words.contains(&word).then(|| &text[2..])
    }

    /// Reads an element that is a number.
    fn number<'t>(&mut self, element: Element, text: &'t str) -> Option<&'t str> {
        let (number, rest) = match element {
            Element::LongYear => digits(text, 4, 4)?,
            Element::YearDay3 => digits(text, 3, 3)?,
            Element::YearDayBlank => digits(text.trim_start_matches(' '), 1, 3)?,
            Element::DayBlank => digits(text.strip_prefix(' ').unwrap_or(text), 1, 2)?,
            Element::Month
            | Element::Day
            | Element::Hour
            | Element::Hour24
            | Element::Minute
            | Element::Second => digits(text, 1, 2)?,
            _ => digits(text, 2, 2)?,
        };
        let small = i8::try_from(number).ok();
        match element {
            Element::LongYear => self.year = i16::try_from(number).ok(),
            Element::Year2 => {
                let century = if number >= 69 { 1900 } else { 2000 };
                self.year = i16::try_from(number + century).ok();
            }
            Element::YearDay3 | Element::YearDayBlank => {
                self.year_day = i16::try_from(number).ok();
            }
            Element::Month | Element::Month2 => self.month = small,
            Element::Day | Element::DayBlank | Element::Day2 => self.day = small,
            Element::Hour24 => self.hour = small.filter(|hour| *hour < 24)?,
            Element::Hour | Element::Hour2 => self.hour = small.filter(|hour| *hour <= 12)?,
            Element::Minute | Element::Minute2 => {
                self.minute = small.filter(|minute| *minute < 60)?;
            }
            _ => self.second = small.filter(|second| *second < 60)?,
        }
        Some(rest)
    }

    fn month_name<'t>(&mut self, text: &'t str, names: &[&str]) -> Option<&'t str> {
        let (index, rest) = name_of(text, names)?;
        self.month = i8::try_from(index + 1).ok();
        Some(rest)
    }

    fn zone_name<'t>(&mut self, text: &'t str) -> Option<&'t str> {
        let run = text.bytes().take_while(|b| b.is_ascii_uppercase()).count();
        if !(3..=5).contains(&run) {
            return None;
        }
        self.zone = text[..run].to_owned();
        Some(&text[run..])
    }

    fn offset<'t>(&mut self, text: &'t str, style: OffsetStyle, zulu: bool) -> Option<&'t str> {
        if zulu && text.starts_with('Z') {
            self.offset = Some(0);
            "UTC".clone_into(&mut self.zone);
            return Some(&text[1..]);
        }
        let sign = match text.chars().next()? {
            '+' => 1,
            '-' => -1,
            _ => return None,
        };
        let (count, colon) = match style {
            OffsetStyle::Hours => (1, false),
            OffsetStyle::Minutes => (2, false),
            OffsetStyle::ColonMinutes => (2, true),
            OffsetStyle::Seconds => (3, false),
            OffsetStyle::ColonSeconds => (3, true),
        };
        let mut rest = &text[1..];
        let (mut seconds, mut unit) = (0, 3600);
        for index in 0..count {
            if index > 0 && colon {
                rest = rest.strip_prefix(':')?;
            }
            let (number, after) = digits(rest, 2, 2)?;
            if number > if index == 0 { 24 } else { 60 } {
                return None;
            }
            seconds += number * unit;
            unit /= 60;
            rest = after;
        }
        self.offset = Some(sign * seconds);
        Some(rest)
    }

    fn fraction<'t>(&mut self, text: &'t str, count: usize, element: Element) -> Option<&'t str> {
        let trims = matches!(element, Element::Fraction { trims: true, .. });
        let has_one = text.starts_with(['.', ',']);
        if trims {
            let is_one = has_one && text[1..].starts_with(|c: char| c.is_ascii_digit());
            if !is_one {
                return Some(text);
            }
            let run = text[1..].bytes().take_while(u8::is_ascii_digit).count();
            self.nanosecond = nanoseconds(&text[1..=run])?;
            return Some(&text[1 + run..]);
        }
        let shown = text.get(1..=count).filter(|_| has_one)?;
        self.nanosecond = nanoseconds(shown)?;
        Some(&text[1 + count..])
    }

    fn time(self) -> Option<Time> {
        let hour = match self.is_pm {
            Some(true) if self.hour < 12 => self.hour + 12,
            Some(false) if self.hour == 12 => 0,
            _ => self.hour,
        };
        // Go's zero year is 0, and a date without a day is its first.
        let year = self.year.unwrap_or(0);
        let date = match self.year_day {
            Some(day) => {
                let first = jiff::civil::Date::new(year, 1, 1).ok()?;
                let date = first
                    .checked_add(jiff::Span::new().days(i64::from(day) - 1))
                    .ok()?;
                let is_same = |read: Option<i8>, so: i8| read.is_none_or(|read| read == so);
                let is_sound = day >= 1
                    && date.year() == year
                    && is_same(self.month, date.month())
                    && is_same(self.day, date.day());
                is_sound.then_some(date)?
            }
            None => {
                let (month, day) = (self.month.unwrap_or(1), self.day.unwrap_or(1));
                jiff::civil::Date::new(year, month, day).ok()?
            }
        };
        let clock = jiff::civil::Time::new(hour, self.minute, self.second, self.nanosecond).ok()?;
        let offset = Offset::from_seconds(self.offset.unwrap_or(0)).ok()?;
        let at = offset.to_timestamp(date.to_datetime(clock)).ok()?;
        let is_utc = offset == Offset::UTC;
        let zone = match self.zone.as_str() {
            "" if is_utc => "UTC",
            zone => zone,
        };
        Some(Time {
            at,
            offset,
            zone: zone.to_owned(),
        })
    }
}

fn nanoseconds(digits: &str) -> Option<i32> {
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let nine: String = digits.chars().chain("000000000".chars()).take(9).collect();
    nine.parse().ok()
}

/// A number of so many digits, and what is behind it.
fn digits(text: &str, least: usize, most: usize) -> Option<(i32, &str)> {
    let run = text
        .bytes()
        .take(most)
        .take_while(u8::is_ascii_digit)
        .count();
    if run < least {
        return None;
    }
    Some((text[..run].parse().ok()?, &text[run..]))
}

/// Which of some names a text begins with, in any case.
fn name_of<'t>(text: &'t str, names: &[&str]) -> Option<(usize, &'t str)> {
    names.iter().enumerate().find_map(|(index, name)| {
        let begin = text.get(..name.len())?;
        let is_it = begin.eq_ignore_ascii_case(name);
        is_it.then(|| (index, &text[name.len()..]))
    })
}

/// Goes past literal text of a layout; a run of blanks stands for any run.
fn skip_literal<'t>(mut text: &'t str, literal: &str) -> Option<&'t str> {
    let mut chars = literal.chars().peekable();
    while let Some(c) = chars.next() {
        if c == ' ' {
            while chars.next_if_eq(&' ').is_some() {}
            if !text.is_empty() && !text.starts_with(' ') {
                return None;
            }
            text = text.trim_start_matches(' ');
        } else {
            text = text.strip_prefix(c)?;
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Time {
        Time::utc(text.parse().expect(text))
    }

    #[test]
    fn layouts_are_written_as_go_writes_them() {
        let time = at("2026-11-21T07:05:09.012345678Z");
        for (layout, expected) in [
            ("2006-w02", "2026-w21"),
            ("2006-01-02T15:04:05Z07:00", "2026-11-21T07:05:09Z"),
            ("Mon Jan _2 3:4:5 PM 06", "Sat Nov 21 7:5:9 AM 26"),
            ("Monday, January 2", "Saturday, November 21"),
            ("Months of Januaryish", "Months of Novemberish"),
            ("Janet", "Janet"),
            ("002 __2", "325 325"),
            (".000 .999999 ,00", ".012 .012345 ,01"),
            ("-0700 -07:00 Z07 MST", "+0000 +00:00 Z UTC"),
            ("_2006", "_2026"),
            ("20060102-150405", "20261121-070509"),
        ] {
            assert_eq!(time.format(layout), expected, "{layout}");
        }
    }

    #[test]
    fn texts_are_read_as_go_reads_them() {
        for (layout, text, expected) in [
            (
                "2006-01-02",
                "2017-12-31",
                Some("2017-12-31 00:00:00 +0000 UTC"),
            ),
            ("2006-01-02", "2017-02-30", None),
            ("2006-01-02", "2017-1-2", None),
            (
                "2006-1-2",
                "2017-1-2",
                Some("2017-01-02 00:00:00 +0000 UTC"),
            ),
            (
                "2006-01-02T15:04:05Z07:00",
                "2017-12-31T10:11:12.5+01:30",
                Some("2017-12-31 10:11:12.5 +0130 +0130"),
            ),
            ("15:04", "23:59", Some("0000-01-01 23:59:00 +0000 UTC")),
            ("3:04PM", "1:05PM", Some("0000-01-01 13:05:00 +0000 UTC")),
            (
                "Jan 2 06",
                "feb 3 70",
                Some("1970-02-03 00:00:00 +0000 UTC"),
            ),
        ] {
            let read = Time::parse(layout, text).ok().map(|time| time.to_string());
            assert_eq!(read.as_deref(), expected, "{layout} {text}");
        }
    }
}
