use std::str::FromStr;

/// `FROM=TO`: other levels at the beginning of topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rewrite {
    from: String,
    to: String,
}

impl FromStr for Rewrite {
    type Err = String;

    /// # Errors
    /// It has no `=`, or nothing before it.
    fn from_str(text: &str) -> Result<Self, String> {
        let Some((from, to)) = text.split_once('=') else {
            return Err("there is no =; write FROM=TO, such as house=lab/house".to_owned());
        };
        let [from, to] = [from, to].map(|levels| levels.strip_suffix('/').unwrap_or(levels).to_owned());
        if from.is_empty() {
            return Err("there is nothing before =; --prefix puts levels before every topic".to_owned());
        }
        Ok(Self { from, to })
    }
}

impl Rewrite {
    /// The topic with other levels at its beginning; `None` if it begins otherwise.
    pub(super) fn apply(&self, topic: &str) -> Option<String> {
        let rest = topic.strip_prefix(&self.from)?;
        if self.to.is_empty() {
            // The levels are taken away; of the topic itself nothing would be left.
            return rest.strip_prefix('/').map(str::to_owned);
        }
        (rest.is_empty() || rest.starts_with('/')).then(|| format!("{}{rest}", self.to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_levels_are_replaced() {
        let rewrite = |text: &str, topic: &str| text.parse::<Rewrite>().unwrap().apply(topic);
        assert_eq!(rewrite("a=x/y", "a/b").as_deref(), Some("x/y/b"));
        assert_eq!(rewrite("a/=x/", "a/b").as_deref(), Some("x/b"));
        assert_eq!(rewrite("a=x", "a").as_deref(), Some("x"));
        assert_eq!(rewrite("a=x", "ab"), None);
        assert_eq!(rewrite("a=x", "b/a"), None);
        assert_eq!(rewrite("a=", "a/b").as_deref(), Some("b"));
        assert_eq!(rewrite("a=", "a"), None);
        assert!("a".parse::<Rewrite>().is_err());
        assert!("=a".parse::<Rewrite>().is_err());
    }
}
