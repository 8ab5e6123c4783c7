use ferry_auth::{Grants, PasswordHash};
use serde_json::Value;
use std::sync::Arc;

/// What the columns of a query may be called.
const NAMES: [&str; 5] = ["password_hash", "user_name", "roles", "acl", "expire_at"];

/// Bytes of one value: far more than it needs.
const CELL_BYTES_MAX: usize = 64 * 1024;

/// Bytes of a user name: what MQTT has room for (section 1.5.4).
const USER_NAME_BYTES_MAX: usize = 65_535;

/// One value of a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Cell {
    /// NULL, or a column that the query does not have.
    #[default]
    Nothing,
    Text(String),
    Integer(i64),
    /// Of PostgreSQL: an array of texts.
    #[cfg_attr(not(feature = "postgresql"), expect(dead_code, reason = "SQLite has no lists"))]
    List(Vec<String>),
}

/// Where in a row the columns are that mean something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Columns([Option<usize>; NAMES.len()]);

impl Columns {
    /// By the names of all columns of a query, in their order.
    ///
    /// # Errors
    /// There is none with hashes, or one that means nothing: it may be a mistake, and its value is missed.
    pub(super) fn of_names<'a>(names: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        let known = NAMES.join(", ");
        let mut columns = [None; NAMES.len()];
        for (index, name) in names.enumerate() {
            let Some(place) = NAMES.iter().position(|known| name.eq_ignore_ascii_case(known)) else {
                return Err(format!(
                    "the query gives a column {name:?}, which means nothing; there are {known} (write SELECT ... AS)"
                ));
            };
            if columns[place].replace(index).is_some() {
                return Err(format!("the query gives two columns {name:?}"));
            }
        }
        if columns[0].is_none() {
            return Err("the query gives no column \"password_hash\" (write SELECT ... AS)".to_owned());
        }
        Ok(Self(columns))
    }

    /// The row whose cells are got by their index.
    ///
    /// # Errors
    /// Of `cell`, or there is a value that is too large.
    pub(super) fn row(&self, mut cell: impl FnMut(usize) -> Result<Cell, String>) -> Result<Row, String> {
        let mut cells: [Cell; NAMES.len()] = Default::default();
        for ((place, index), name) in cells.iter_mut().zip(self.0).zip(NAMES) {
            let Some(index) = index else { continue };
            *place = cell(index).map_err(|fault| format!("the column {name} {fault}"))?;
            if matches!(place, Cell::Text(text) if text.len() > CELL_BYTES_MAX) {
                return Err(format!("the column {name} has more than {CELL_BYTES_MAX} bytes"));
            }
        }
        let has_user_name = self.0[1].is_some();
        let [password_hash, user_name, roles, acl, expire_at] = cells;
        Ok(Row { password_hash, user_name, has_user_name, roles, acl, expire_at })
    }
}

/// What a database has of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) password_hash: Cell,
    pub(super) user_name: Cell,
    /// Whether the query has a column for it.
    pub(super) has_user_name: bool,
    pub(super) roles: Cell,
    pub(super) acl: Cell,
    pub(super) expire_at: Cell,
}

/// What a user may, once it has shown the password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rights {
    /// If the database says it.
    pub(super) user_name: Option<Box<str>>,
    pub(super) until_unix_seconds: Option<u64>,
    pub(super) grants: Option<Arc<Grants>>,
}

impl Row {
    /// The hash of the password.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn hash(&self) -> Result<PasswordHash, String> {
        match &self.password_hash {
            // A column of a fixed width is filled with spaces.
            Cell::Text(text) => PasswordHash::parse(text.trim()).map_err(|error| error.to_string()),
            Cell::Nothing => Err("it is NULL".to_owned()),
            Cell::Integer(_) | Cell::List(_) => Err("it is no text".to_owned()),
        }
    }

    /// What is said of the user beside the hash.
    ///
    /// # Errors
    /// A column is not what it must be.
    pub(super) fn rights(&self) -> Result<Rights, String> {
        let wrong = |name: &str| format!("the column {name} is not what it must be");
        let user_name = match &self.user_name {
            Cell::Nothing => None,
            Cell::Text(name) if is_user_name(name) => Some(name.as_str().into()),
            _ => return Err(wrong("user_name")),
        };
        let until_unix_seconds = match &self.expire_at {
            Cell::Nothing => None,
            Cell::Integer(seconds) => Some(u64::try_from(*seconds).unwrap_or(0)),
            _ => return Err(wrong("expire_at")),
        };
        let roles = match &self.roles {
            Cell::Nothing => None,
            Cell::Text(text) if text.trim_start().starts_with('[') => {
                Some(serde_json::from_str(text).map_err(|_| wrong("roles"))?)
            }
            Cell::Text(text) => Some(Value::from(text.as_str())),
            Cell::List(names) => Some(Value::from(names.clone())),
            Cell::Integer(_) => return Err(wrong("roles")),
        };
        let acl: Option<Value> = match &self.acl {
            Cell::Nothing => None,
            Cell::Text(text) => Some(serde_json::from_str(text).map_err(|_| wrong("acl"))?),
            Cell::Integer(_) | Cell::List(_) => return Err(wrong("acl")),
        };
        let grants = Grants::parse(roles.as_ref(), acl.as_ref()).map_err(|fault| fault.to_string())?;
        Ok(Rights { user_name, until_unix_seconds, grants })
    }
}

fn is_user_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= USER_NAME_BYTES_MAX && !name.contains('\0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_known_by_their_names() {
        let of = |names: &[&str]| Columns::of_names(names.iter().copied());
        assert_eq!(of(&["password_hash"]), Ok(Columns([Some(0), None, None, None, None])));
        assert_eq!(of(&["ROLES", "Password_Hash"]), Ok(Columns([Some(1), None, Some(0), None, None])));
        for (names, words) in [
            (&["roles"][..], "no column \"password_hash\""),
            (&["password_hash", "role"], "\"role\", which means nothing"),
            (&["password_hash", "roles", "roles"], "two columns \"roles\""),
            (&[], "no column"),
        ] {
            let fault = of(names).expect_err("wrong");
            assert!(fault.contains(words), "{fault}");
        }
    }

    #[test]
    fn rights() {
        let text = |text: &str| Cell::Text(text.to_owned());
        let list = |names: &[&str]| Cell::List(names.iter().map(|name| (*name).to_owned()).collect());
        let rights = |row: Row| row.rights();
        let nothing = Rights { user_name: None, until_unix_seconds: None, grants: None };
        assert_eq!(rights(Row::default()), Ok(nothing.clone()));
        let roles = |roles: Cell| rights(Row { roles, ..Row::default() }).map(|rights| rights.grants);
        assert!(roles(text("a b")).is_ok_and(|grants| grants.is_some()));
        assert_eq!(roles(text("a b")), roles(list(&["a", "b"])));
        assert_eq!(roles(text("a b")), roles(text("[\"a\", \"b\"]")));
        assert_eq!(roles(text("")), Ok(None));
        assert!(roles(text("[a")).is_err() && roles(Cell::Integer(1)).is_err());
        let acl = |acl: Cell| rights(Row { acl, ..Row::default() }).map(|rights| rights.grants.is_some());
        let rule = r#"[{"permission":"allow","action":"publish","topic":"a"}]"#;
        assert_eq!(acl(text(rule)), Ok(true));
        assert!(acl(text("[{}]")).is_err() && acl(text("x")).is_err() && acl(list(&[])).is_err());
        let until = |expire_at| rights(Row { expire_at, ..Row::default() });
        assert_eq!(until(Cell::Integer(7)).map(|rights| rights.until_unix_seconds), Ok(Some(7)));
        assert_eq!(until(Cell::Integer(-7)).map(|rights| rights.until_unix_seconds), Ok(Some(0)));
        assert!(until(text("7")).is_err());
        let named = |user_name| rights(Row { user_name, ..Row::default() });
        assert_eq!(named(text("ada")).map(|rights| rights.user_name), Ok(Some("ada".into())));
        assert!(named(text("")).is_err() && named(text("a\0")).is_err() && named(Cell::Integer(1)).is_err());
    }

    #[test]
    fn what_is_too_large_is_no_row() {
        let columns = Columns::of_names(["password_hash"].into_iter()).expect("columns");
        let row = |bytes: usize| columns.row(|_| Ok(Cell::Text("x".repeat(bytes))));
        assert!(row(CELL_BYTES_MAX).is_ok() && row(CELL_BYTES_MAX + 1).is_err());
    }
}
