//! JSON that is right already, with or without blanks.

/// JSON without the blanks between its parts. Numbers stay as they are written.
pub(crate) fn compact(json: &str) -> String {
    let mut output = String::with_capacity(json.len());
    let mut in_string = false;
    let mut escaped = false;
    for character in json.chars() {
        if in_string {
            in_string = escaped || character != '"';
            escaped = !escaped && character == '\\';
        } else if character.is_ascii_whitespace() {
            continue;
        } else {
            in_string = character == '"';
        }
        output.push(character);
    }
    output
}

/// JSON without blanks, with a line for each member of an object, and arrays on one line.
pub(crate) fn on_several_lines(json: &str) -> String {
    let mut output = String::with_capacity(json.len() * 2);
    let mut in_string = false;
    let mut escaped = false;
    // The brackets that are open.
    let mut open: Vec<char> = Vec::new();
    for character in json.chars() {
        if in_string {
            in_string = escaped || character != '"';
            escaped = !escaped && character == '\\';
            output.push(character);
            continue;
        }
        match character {
            '{' => {
                open.push(character);
                output.push(character);
                new_line(&mut output, open.len());
            }
            '}' => {
                open.pop();
                // The line that was begun for a member is not needed.
                output.truncate(output.trim_end_matches(['\n', '\t']).len());
                new_line(&mut output, open.len());
                output.push(character);
            }
            '[' => {
                open.push(character);
                output.push(character);
            }
            ']' => {
                open.pop();
                output.push(character);
            }
            ',' if open.last() == Some(&'{') => {
                output.push(character);
                new_line(&mut output, open.len());
            }
            ',' => output.push_str(", "),
            ':' => output.push_str(":\t"),
            other => {
                in_string = other == '"';
                output.push(other);
            }
        }
    }
    output
}

fn new_line(output: &mut String, depth: usize) {
    output.push('\n');
    output.extend(std::iter::repeat_n('\t', depth));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_loses_its_blanks_and_gets_lines() {
        let text = "{ \"a\" : [1, 2.0, {\"b\":null,\"e\":{}, \"f\":[]}], \"c\":\"x \\\" :,\" }";
        let compacted = r#"{"a":[1,2.0,{"b":null,"e":{},"f":[]}],"c":"x \" :,"}"#;
        assert_eq!(compact(text), compacted);
        let lines = "{\n\t\"a\":\t[1, 2.0, {\n\t\t\t\"b\":\tnull,\n\t\t\t\"e\":\t{\n\t\t\t},\n\t\t\t\"f\":\t[]\n\t\t}],\n\t\"c\":\t\"x \\\" :,\"\n}";
        assert_eq!(on_several_lines(compacted), lines);
    }
}
