//! What requests and answers about who may connect look like.

use serde_json::{Value, json};

use super::bans::{NAME_CHARACTERS_MAX, REASON_CHARACTERS_MAX, SECONDS_MAX};
use super::roles::DESCRIPTION_CHARACTERS_MAX;
use super::schemas::{TEXT, count, exactly, matching, maybe, object, page, text};
use super::users::{KINDS, PASSWORD_CHARACTERS_MAX};

/// The regular expression (ECMA-262) of an address, or of a network.
pub(super) const NETWORK: &str = concat!(
    r"^((25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])\.){3}(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])",
    r"(/(3[0-2]|[12]?[0-9]))?$",
    r"|^(([0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}|([0-9a-fA-F]{1,4}:){1,7}:",
    r"|([0-9a-fA-F]{1,4}:){1,6}:[0-9a-fA-F]{1,4}|([0-9a-fA-F]{1,4}:){1,5}(:[0-9a-fA-F]{1,4}){1,2}",
    r"|([0-9a-fA-F]{1,4}:){1,4}(:[0-9a-fA-F]{1,4}){1,3}|([0-9a-fA-F]{1,4}:){1,3}(:[0-9a-fA-F]{1,4}){1,4}",
    r"|([0-9a-fA-F]{1,4}:){1,2}(:[0-9a-fA-F]{1,4}){1,5}|[0-9a-fA-F]{1,4}:(:[0-9a-fA-F]{1,4}){1,6}",
    r"|:((:[0-9a-fA-F]{1,4}){1,7}|:))(/(12[0-8]|1[01][0-9]|[1-9]?[0-9]))?$"
);

/// Of a user name that a password file can have.
pub(super) const USER_NAME: &str =
    r"^(?!#)(?!\s)[^:\u0000-\u001f\u007f-\u009f]*[^:\s\u0000-\u001f\u007f-\u009f]$";

/// Of the name of a role or group.
pub(super) const ROLE_NAME: &str = r"^[A-Za-z0-9][A-Za-z0-9.:@_-]{0,127}$";

/// Of a name without control characters.
const NAME: &str = r"^[^\u0000-\u001f\u007f-\u009f]+$";

/// Of a line of text.
const LINE: &str = r"^[^\u0000-\u001f\u007f-\u009f]*$";

pub(super) fn of_access(add: &mut dyn FnMut(&str, Value)) {
    add(
        "Bans",
        page(object(&[
            ("address", maybe("string")),
            ("user", maybe("string")),
            ("client_id", maybe("string")),
            ("until_milliseconds", maybe("integer")),
            ("reason", text()),
            ("origin", json!({ "enum": ["configuration", "automatic", "operator"] })),
        ])),
    );
    add("BanRequest", ban_request());
    add("Users", page(json!({ "$ref": "#/components/schemas/User" })));
    let flag = || json!({ "type": "boolean" });
    add(
        "User",
        object(&[
            ("name", text()),
            ("is_disabled", flag()),
            ("kind", text()),
            ("roles", texts()),
            ("is_asked", flag()),
        ]),
    );
    add(
        "UserRequest",
        exactly(&[
            ("password", json!({ "type": "string", "minLength": 1, "maxLength": PASSWORD_CHARACTERS_MAX })),
            (
                "kind",
                json!({ "enum": KINDS, "description": "How the password is kept; argon2id if absent." }),
            ),
            ("is_disabled", flag()),
            (
                "is_new",
                json!({
                    "type": "boolean",
                    "description": "True: there must be no such user yet; false: there must be one.",
                }),
            ),
        ]),
    );
    of_roles(add);
    add("Banned", object(&[("done", text()), ("disconnected", count())]));
}

fn of_roles(add: &mut dyn FnMut(&str, Value)) {
    let flag = || json!({ "type": "boolean" });
    let is_new = || {
        let about = "True: there must be none of this name yet; false: there must be one.";
        json!({ "type": "boolean", "description": about })
    };
    let names = |pattern: &str, about: &str| {
        let name = json!({ "type": "string", "pattern": pattern });
        json!({ "type": "array", "items": name, "description": about })
    };
    let description = || {
        let mut schema = matching(LINE, "For people.");
        schema["maxLength"] = DESCRIPTION_CHARACTERS_MAX.into();
        schema
    };
    let users = || names(NAME, "Names of users.");
    let groups = || names(ROLE_NAME, "Names of groups, which must be there.");
    let rules = json!({
        "type": "string",
        "description": "Blocks of [[rule]], as in a rules file, without roles. What is wrong in them is a conflict (409).",
    });
    add("Roles", page(json!({ "$ref": "#/components/schemas/Role" })));
    add(
        "Role",
        object(&[
            ("name", text()),
            ("description", text()),
            ("rules", text()),
            ("users", texts()),
            ("groups", texts()),
            ("is_asked", flag()),
        ]),
    );
    add(
        "RoleRequest",
        exactly(&[
            ("description", description()),
            ("rules", rules),
            ("users", users()),
            ("groups", groups()),
            ("is_new", is_new()),
        ]),
    );
    add("RoleMembers", exactly(&[("users", users()), ("groups", groups())]));
    add("Groups", page(json!({ "$ref": "#/components/schemas/Group" })));
    add("Group", object(&[("name", text()), ("description", text()), ("users", texts())]));
    add("GroupRequest", exactly(&[("description", description()), ("users", users()), ("is_new", is_new())]));
    add("GroupMembers", exactly(&[("users", users())]));
    add("Why", object(&[("allowed", flag()), ("reason", text())]));
}

fn texts() -> Value {
    json!({ "type": "array", "items": text() })
}

fn ban_request() -> Value {
    let name = |about| {
        let mut schema = matching(TEXT, about);
        schema["maxLength"] = NAME_CHARACTERS_MAX.into();
        schema
    };
    let address = matching(NETWORK, "An address, or a network such as 192.0.2.0/24.");
    let mut reason = matching(LINE, "For the log; clients are not told.");
    reason["maxLength"] = REASON_CHARACTERS_MAX.into();
    let about = |required: &str| {
        let mut schema = exactly(&[
            ("address", address.clone()),
            ("user", name("Who gives this user name.")),
            ("client_id", name("Who gives this client identifier.")),
            ("seconds", json!({ "type": "integer", "minimum": 1, "maximum": SECONDS_MAX })),
            ("reason", reason.clone()),
        ]);
        schema["required"] = json!([required]);
        schema
    };
    json!({ "anyOf": [about("address"), about("user"), about("client_id")] })
}
