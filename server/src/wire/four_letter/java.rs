//! Values as Java prints them.

use core::net::{IpAddr, SocketAddr};
use std::fmt;

use crate::protocol::Timestamp;

/// Floating-point number: `Double.toString`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Double(pub(super) f64);

impl fmt::Display for Double {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = self.0.abs();
        if self.0.is_nan() {
            f.write_str("NaN")
        } else if size.is_infinite() {
            f.write_str(if self.0 > 0.0 {
                "Infinity"
            } else {
                "-Infinity"
            })
        } else if size == 0.0 || (1e-3..1e7).contains(&size) {
            write!(f, "{:?}", self.0)
        } else {
            // Java writes an exponent behind a mantissa that has a decimal.
            let text = format!("{:e}", self.0);
            let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            let decimal = if mantissa.contains('.') { "" } else { ".0" };
            write!(f, "{mantissa}{decimal}E{exponent}")
        }
    }
}

/// Time of day: `Date.toString` in UTC.
#[derive(Clone, Copy, Debug)]
pub(super) struct Date(pub(super) Timestamp);

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
        const MONTHS: [&str; 12] = [
            "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Jan", "Feb",
        ];
        let seconds = self.0.0.div_euclid(1000);
        let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));

        // Days are counted from the 1st of March 2000, so a leap day is the last day of a year, century or four
        // centuries.
        let since = days - 11_017;
        let (quads, since) = (since.div_euclid(146_097), since.rem_euclid(146_097));
        let century = (since / 36_524).min(3);
        let since = since - century * 36_524;
        let (leaps, since) = (since / 1461, since % 1461);
        let year = (since / 365).min(3);
        let since = since - year * 365;
        // From March on, any five months in a row have 153 days.
        let month = (5 * since + 2) / 153;
        let day = since - (153 * month + 2) / 5 + 1;
        let year = 2000 + 400 * quads + 100 * century + 4 * leaps + year + month / 10;

        let name = |names: &[&'static str], index: i64| {
            let name = usize::try_from(index)
                .ok()
                .and_then(|index| names.get(index).copied());
            name.unwrap_or_default()
        };
        write!(
            f,
            "{} {} {day:02} {:02}:{:02}:{:02} UTC {year}",
            name(&WEEKDAYS, days.rem_euclid(7)),
            name(&MONTHS, month),
            second / 3600,
            second / 60 % 60,
            second % 60,
        )
    }
}

/// Address without a host name: `InetSocketAddress.toString`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Address(pub(super) SocketAddr);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.0.port();
        match self.0.ip().to_canonical() {
            IpAddr::V4(ip) => write!(f, "/{ip}:{port}"),
            IpAddr::V6(ip) => {
                let groups = ip.segments().map(|group| format!("{group:x}"));
                write!(f, "/[{}]:{port}", groups.join(":"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::four_letter::metric::rounded;

    /// Expected texts are those of Java 17.
    #[test]
    fn averages_are_printed_as_by_java() {
        for (total, count, expected) in [
            (0.0, 5.0, "0.0"),
            (1.0, 2.0, "0.5"),
            (1.0, 3.0, "0.3333"),
            (2.0, 3.0, "0.6667"),
            (22_835.0, 10_000.0, "2.2835"),
            (1.0, 32.0, "0.0313"),
            (3.0, 32.0, "0.0938"),
            (1.0, 1000.0, "0.001"),
            (9.0, 10_000.0, "9.0E-4"),
            (1.0, 20_000.0, "1.0E-4"),
            (3.0, 20_000.0, "1.0E-4"),
            (1.0, 100_000.0, "0.0"),
            (9_999_999.0, 1.0, "9999999.0"),
            (99_999_999.0, 10.0, "9999999.9"),
            (12_345_678.0, 1.0, "1.2345678E7"),
            (12_345_671_234.0, 1000.0, "1.2345671234E7"),
            (123_456_789_012.0, 1.0, "1.23456789012E11"),
            (10_000_000.0, 1.0, "1.0E7"),
        ] {
            let average = rounded(total / count);
            assert_eq!(Double(average).to_string(), expected, "{total}/{count}");
        }
    }

    /// Expected texts are those of Java 17.
    #[test]
    fn dates_are_printed_as_by_java() {
        for (moment, expected) in [
            (0, "Thu Jan 01 00:00:00 UTC 1970"),
            (951_782_400_000, "Tue Feb 29 00:00:00 UTC 2000"),
            (1_709_164_799_999, "Wed Feb 28 23:59:59 UTC 2024"),
            (1_709_251_200_000, "Fri Mar 01 00:00:00 UTC 2024"),
            (1_795_248_290_000, "Sat Nov 21 08:04:50 UTC 2026"),
            (-1, "Wed Dec 31 23:59:59 UTC 1969"),
            (-86_400_001, "Tue Dec 30 23:59:59 UTC 1969"),
            (4_102_444_800_000, "Fri Jan 01 00:00:00 UTC 2100"),
            (253_402_300_800_000, "Sat Jan 01 00:00:00 UTC 10000"),
        ] {
            assert_eq!(Date(Timestamp(moment)).to_string(), expected, "{moment}");
        }
    }

    #[test]
    fn addresses_are_printed_as_by_java() {
        for (address, expected) in [
            ("127.0.0.1:5", "/127.0.0.1:5"),
            ("[::1]:5", "/[0:0:0:0:0:0:0:1]:5"),
            ("[fe80::1:ab]:5", "/[fe80:0:0:0:0:0:1:ab]:5"),
            ("[::ffff:127.0.0.1]:5", "/127.0.0.1:5"),
        ] {
            let address = address.parse().expect("it is an address");
            assert_eq!(Address(address).to_string(), expected);
        }
    }
}
