//! `repeat 3 as i` ... `end`: lines many times, with `{i}` and `{i+1}` replaced by numbers from 1.

/// A line with its number in the file.
pub(super) type NumberedLine = (usize, String);

/// Writes out all loops; they may be nested.
///
/// # Errors
/// When a loop is not closed or its head cannot be read.
pub(super) fn expand(lines: &[NumberedLine]) -> Result<Vec<NumberedLine>, String> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some((number, text)) = lines.get(at) {
        if let Some(head) = text.trim().strip_prefix("repeat ") {
            let length = body_length(&lines[at + 1..]).ok_or(format!("line {number}: repeat without end"))?;
            let body = &lines[at + 1..=at + length];
            let (times, name) = loop_head(head).ok_or(format!("line {number}: repeat TIMES as NAME"))?;
            for round in 1..=times {
                let replaced: Vec<NumberedLine> =
                    body.iter().map(|(number, text)| (*number, replace(text, name, round))).collect();
                out.extend(expand(&replaced)?);
            }
            at += length + 2;
        } else {
            out.push((*number, text.clone()));
            at += 1;
        }
    }
    Ok(out)
}

fn loop_head(head: &str) -> Option<(u64, &str)> {
    let (times, name) = head.split_once(" as ")?;
    Some((times.trim().parse().ok()?, name.trim()))
}

/// The number of lines before the `end` that belongs to this loop.
fn body_length(lines: &[NumberedLine]) -> Option<usize> {
    let mut depth = 1;
    for (at, (_, text)) in lines.iter().enumerate() {
        let text = text.trim();
        if text.starts_with("repeat ") {
            depth += 1;
        } else if text == "end" {
            depth -= 1;
            if depth == 0 {
                return Some(at);
            }
        }
    }
    None
}

fn replace(text: &str, name: &str, round: u64) -> String {
    let mut out = String::new();
    let mut rest = text;
    let opening = format!("{{{name}");
    while let Some(at) = rest.find(&opening) {
        let after = &rest[at + opening.len()..];
        let Some((offset, tail)) = after.split_once('}') else { break };
        let offset = if offset.is_empty() {
            Some(0)
        } else {
            offset.strip_prefix('+').and_then(|o| o.parse::<u64>().ok())
        };
        let Some(offset) = offset else { break };
        out.push_str(&rest[..at]);
        out.push_str(&(round + offset).to_string());
        rest = tail;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::expand;

    #[test]
    fn loops_are_written_out() {
        let lines = ["a", "repeat 2 as i", "b {i} {i+10}", "repeat 2 as j", "c {i}{j}", "end", "end", "d"];
        let numbered: Vec<(usize, String)> = lines.iter().map(|line| (1, (*line).to_owned())).collect();
        let texts: Vec<String> = expand(&numbered).expect("closed").into_iter().map(|line| line.1).collect();
        assert_eq!(texts, ["a", "b 1 11", "c 11", "c 12", "b 2 12", "c 21", "c 22", "d"]);
    }

    #[test]
    fn an_open_loop_is_an_error() {
        assert!(expand(&[(1, "repeat 2 as i".to_owned())]).is_err());
    }
}
