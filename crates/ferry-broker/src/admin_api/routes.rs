//! Every path of the API, with who may use it and what it does. The OpenAPI document is made from this table.

use hyper::Method;

use super::answer::Answer;
use super::problem::Problem;
use super::query;
use super::request::Call;
use super::{
    access_schemas, bans, broker, clients, configuration, groups, health, history, log_levels, metrics,
    openapi, publish, retained, roles, schemas, subscriptions, trace, traffic, users, why,
};
use crate::config::AdminRole;

/// One path with one method.
pub(super) struct Route {
    pub(super) method: Method,
    /// `{client_id}`, `{user}`, `{role}` or `{group}` stands for one segment.
    pub(super) path: &'static str,
    pub(super) access: Access,
    pub(super) summary: &'static str,
    /// The parameters of the query.
    pub(super) query: &'static [Parameter],
    /// The name of the schema of the body, if there is one.
    pub(super) body: Option<&'static str>,
    /// The name of the schema of the answer.
    pub(super) answer: &'static str,
    pub(super) operation: Operation,
}

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Whoever reaches it.
    Everybody,
    /// As `admin.metrics_without_token` says, or a viewer.
    Metrics,
    /// Whoever has this role, or one that may do more.
    Role(AdminRole),
}

/// A parameter of a query.
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) kind: ParameterKind,
    pub(super) required: bool,
}

/// What a parameter may be.
#[derive(Clone, Copy, Debug)]
pub(super) enum ParameterKind {
    Text,
    /// A text for this regular expression (ECMA-262).
    Matching(&'static str),
    Flag,
    Number(u64, u64),
}

/// What a route does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Health,
    Ready,
    Metrics,
    OpenApi,
    Broker,
    Listeners,
    Drops,
    Configuration,
    Reload,
    Clients,
    Client,
    Disconnect,
    EndSession,
    ClientSubscriptions,
    ClientHistory,
    ClientTrace,
    TopTalkers,
    SlowSubscribers,
    LogLevels,
    Subscriptions,
    Topic,
    RetainedList,
    RetainedGet,
    RetainedDelete,
    Publish,
    Bans,
    Ban,
    LiftBan,
    Users,
    User,
    PutUser,
    DeleteUser,
    Roles,
    Role,
    PutRole,
    DeleteRole,
    GrantRole,
    RevokeRole,
    Groups,
    Group,
    PutGroup,
    DeleteGroup,
    AddToGroup,
    RemoveFromGroup,
    Why,
}

/// Items on a page, at most.
pub(super) const PAGE_MAX: u64 = 1_000;

const LIMIT: Parameter = optional(
    "limit",
    "How many items at most; fewer may come although more follow: go on while there is a next.",
    ParameterKind::Number(1, PAGE_MAX),
);
const CURSOR: Parameter =
    optional("cursor", "The next of the page before.", ParameterKind::Matching(schemas::CURSOR));
const CLIENTS_LIMIT: Parameter = optional(
    "limit",
    "How many clients at most; 20 if absent.",
    ParameterKind::Number(1, traffic::CLIENTS_MAX),
);
const FILTER: Parameter = Parameter {
    required: true,
    ..optional("filter", "A topic filter, such as house/#.", ParameterKind::Matching(schemas::TOPIC_FILTER))
};
const DELETED_FILTER: Parameter = Parameter {
    kind: ParameterKind::Matching(schemas::DELETED_FILTER),
    about: "A topic filter, such as house/#, that does not begin with $SYS.",
    ..FILTER
};
const TOPIC: Parameter = Parameter {
    required: true,
    ..optional("topic", "A topic name.", ParameterKind::Matching(schemas::TOPIC_NAME))
};

const VIEWER: Access = Access::Role(AdminRole::Viewer);
const OPERATOR: Access = Access::Role(AdminRole::Operator);
const ADMIN: Access = Access::Role(AdminRole::Admin);

pub(super) static ROUTES: [Route; 45] = [
    get(
        "/health",
        Access::Everybody,
        "Whether the process works and every shard takes turns",
        &[],
        "Health",
        Operation::Health,
    ),
    get(
        "/ready",
        Access::Everybody,
        "Whether clients can connect and what they send can be stored",
        &[],
        "Ready",
        Operation::Ready,
    ),
    get(
        "/metrics",
        Access::Metrics,
        "The counters, in the text format of Prometheus",
        &[],
        "",
        Operation::Metrics,
    ),
    get("/api/v1/openapi.json", Access::Everybody, "This document", &[], "OpenApi", Operation::OpenApi),
    get("/api/v1/broker", VIEWER, "Version, uptime, totals, limits", &[], "Broker", Operation::Broker),
    get("/api/v1/listeners", VIEWER, "Where clients connect", &[], "Listeners", Operation::Listeners),
    get(
        "/api/v1/drops",
        VIEWER,
        "Copies of messages that were discarded, by reason",
        &[],
        "Drops",
        Operation::Drops,
    ),
    get(
        "/api/v1/configuration",
        VIEWER,
        "Every option in force, and where it was set",
        &[],
        "Configuration",
        Operation::Configuration,
    ),
    change(
        Method::POST,
        "/api/v1/reload",
        ADMIN,
        "Read the configuration again",
        None,
        "Reloaded",
        Operation::Reload,
    ),
    get(
        "/api/v1/clients",
        VIEWER,
        "Sessions, connected or not, in no particular order",
        &[
            LIMIT,
            CURSOR,
            optional("search", "A part of the client identifier, user name or address.", ParameterKind::Text),
            optional("connected", "Only those that are connected, or are not.", ParameterKind::Flag),
            optional("queued", "Only those with messages that wait, or without.", ParameterKind::Flag),
        ],
        "Clients",
        Operation::Clients,
    ),
    get("/api/v1/clients/{client_id}", VIEWER, "One session", &[], "Client", Operation::Client),
    change(
        Method::DELETE,
        "/api/v1/clients/{client_id}",
        ADMIN,
        "Disconnect the client and delete its session with all that waits for it; its will is published",
        None,
        "Done",
        Operation::EndSession,
    ),
    change(
        Method::POST,
        "/api/v1/clients/{client_id}/disconnect",
        OPERATOR,
        "End the connection; the session stays as long as it would",
        Some("DisconnectRequest"),
        "Done",
        Operation::Disconnect,
    ),
    get(
        "/api/v1/clients/{client_id}/history",
        VIEWER,
        "Why the client was refused, disconnected, or not delivered to, as far as it is remembered",
        &[],
        "History",
        Operation::ClientHistory,
    ),
    get(
        "/api/v1/top-talkers",
        VIEWER,
        "The clients with most bytes, sent and received, in the last one to two minutes",
        &[CLIENTS_LIMIT],
        "TopTalkers",
        Operation::TopTalkers,
    ),
    get(
        "/api/v1/slow-subscribers",
        VIEWER,
        "The clients for which most bytes wait, in their queues and to be written",
        &[
            CLIENTS_LIMIT,
            optional("connected", "Only those that are connected, or are not.", ParameterKind::Flag),
        ],
        "SlowSubscribers",
        Operation::SlowSubscribers,
    ),
    get(
        "/api/v1/clients/{client_id}/trace",
        OPERATOR,
        "What the client sends and is sent from now on, one JSON object on each line; empty lines mean nothing",
        &[
            optional(
                "seconds",
                "It ends after so long; 60 if absent.",
                ParameterKind::Number(1, trace::SECONDS_MAX),
            ),
            optional(
                "events",
                "It ends after so many events; 10,000 if absent.",
                ParameterKind::Number(1, trace::EVENTS_MAX),
            ),
            optional(
                "payload_bytes",
                "So much of each payload is shown; nothing if absent.",
                ParameterKind::Number(0, trace::PAYLOAD_BYTES_MAX),
            ),
        ],
        "TraceEvent",
        Operation::ClientTrace,
    ),
    change(
        Method::POST,
        "/api/v1/log",
        OPERATOR,
        "Set how much is logged, by module, until the next reload",
        Some("LogRequest"),
        "Done",
        Operation::LogLevels,
    ),
    get(
        "/api/v1/clients/{client_id}/subscriptions",
        VIEWER,
        "What the client has subscribed to",
        &[LIMIT, CURSOR],
        "Subscriptions",
        Operation::ClientSubscriptions,
    ),
    get(
        "/api/v1/subscriptions",
        VIEWER,
        "Subscriptions of all clients, in no particular order",
        &[LIMIT, CURSOR, optional("search", "A part of the filter.", ParameterKind::Text)],
        "Subscriptions",
        Operation::Subscriptions,
    ),
    get(
        "/api/v1/topics",
        VIEWER,
        "Who would be sent a message on a topic",
        &[TOPIC],
        "Topic",
        Operation::Topic,
    ),
    get(
        "/api/v1/retained",
        VIEWER,
        "Retained messages, without their payloads, in no particular order",
        &[FILTER, LIMIT, CURSOR],
        "RetainedMessages",
        Operation::RetainedList,
    ),
    Route {
        method: Method::DELETE,
        path: "/api/v1/retained",
        access: OPERATOR,
        summary: "Delete retained messages, at most 1,000 with one request; subscribers are sent an empty message for each",
        query: &[DELETED_FILTER],
        body: None,
        answer: "Deleted",
        operation: Operation::RetainedDelete,
    },
    get(
        "/api/v1/retained/message",
        OPERATOR,
        "One retained message with its payload",
        &[TOPIC],
        "RetainedMessage",
        Operation::RetainedGet,
    ),
    change(
        Method::POST,
        "/api/v1/publish",
        OPERATOR,
        "Publish a message",
        Some("PublishRequest"),
        "Done",
        Operation::Publish,
    ),
    get("/api/v1/bans", VIEWER, "Who may not connect", &[LIMIT, CURSOR], "Bans", Operation::Bans),
    change(
        Method::POST,
        "/api/v1/bans",
        OPERATOR,
        "Keep somebody from connecting, and end the connections of those whom it is about",
        Some("BanRequest"),
        "Banned",
        Operation::Ban,
    ),
    Route {
        method: Method::DELETE,
        path: "/api/v1/bans",
        access: OPERATOR,
        summary: "Lift the ban of exactly this address, user and client identifier",
        query: &[
            optional(
                "address",
                "The address or network that the ban names.",
                ParameterKind::Matching(access_schemas::NETWORK),
            ),
            optional("user", "The user name that it names.", ParameterKind::Matching(schemas::TEXT)),
            optional(
                "client_id",
                "The client identifier that it names.",
                ParameterKind::Matching(schemas::TEXT),
            ),
        ],
        body: None,
        answer: "Done",
        operation: Operation::LiftBan,
    },
    get(
        "/api/v1/users",
        VIEWER,
        "Users that are managed at run time, by name",
        &[LIMIT, CURSOR],
        "Users",
        Operation::Users,
    ),
    get("/api/v1/users/{user}", VIEWER, "One user", &[], "User", Operation::User),
    change(
        Method::PUT,
        "/api/v1/users/{user}",
        ADMIN,
        "Add a user, or change one, whose connections end if the password is another or the user is disabled",
        Some("UserRequest"),
        "Done",
        Operation::PutUser,
    ),
    change(
        Method::DELETE,
        "/api/v1/users/{user}",
        ADMIN,
        "Remove a user and end its connections",
        None,
        "Done",
        Operation::DeleteUser,
    ),
    get(
        "/api/v1/roles",
        VIEWER,
        "Roles that are managed at run time, by name",
        &[LIMIT, CURSOR],
        "Roles",
        Operation::Roles,
    ),
    get("/api/v1/roles/{role}", VIEWER, "One role", &[], "Role", Operation::Role),
    change(
        Method::PUT,
        "/api/v1/roles/{role}",
        ADMIN,
        "Add a role, or change one; it holds at once, for clients that are connected too",
        Some("RoleRequest"),
        "Done",
        Operation::PutRole,
    ),
    change(
        Method::DELETE,
        "/api/v1/roles/{role}",
        ADMIN,
        "Remove a role",
        None,
        "Done",
        Operation::DeleteRole,
    ),
    change(
        Method::POST,
        "/api/v1/roles/{role}/grant",
        ADMIN,
        "Give a role to users and groups",
        Some("RoleMembers"),
        "Done",
        Operation::GrantRole,
    ),
    change(
        Method::POST,
        "/api/v1/roles/{role}/revoke",
        ADMIN,
        "Take a role from users and groups",
        Some("RoleMembers"),
        "Done",
        Operation::RevokeRole,
    ),
    get(
        "/api/v1/groups",
        VIEWER,
        "Groups of users who have roles together, by name",
        &[LIMIT, CURSOR],
        "Groups",
        Operation::Groups,
    ),
    get("/api/v1/groups/{group}", VIEWER, "One group", &[], "Group", Operation::Group),
    change(
        Method::PUT,
        "/api/v1/groups/{group}",
        ADMIN,
        "Add a group, or change one",
        Some("GroupRequest"),
        "Done",
        Operation::PutGroup,
    ),
    change(
        Method::DELETE,
        "/api/v1/groups/{group}",
        ADMIN,
        "Remove a group, also from the roles that it has",
        None,
        "Done",
        Operation::DeleteGroup,
    ),
    change(
        Method::POST,
        "/api/v1/groups/{group}/add",
        ADMIN,
        "Put users into a group",
        Some("GroupMembers"),
        "Done",
        Operation::AddToGroup,
    ),
    change(
        Method::POST,
        "/api/v1/groups/{group}/remove",
        ADMIN,
        "Take users out of a group",
        Some("GroupMembers"),
        "Done",
        Operation::RemoveFromGroup,
    ),
    get(
        "/api/v1/why",
        VIEWER,
        "Whether somebody may do something, and which of the rules in force decides",
        &[
            Parameter {
                required: true,
                ..optional(
                    "action",
                    "What is wanted: publish, subscribe or receive.",
                    ParameterKind::Matching("^(publish|subscribe|receive)$"),
                )
            },
            Parameter {
                required: true,
                ..optional(
                    "topic",
                    "The topic name, or the filter of a subscription.",
                    ParameterKind::Matching(r"^[^\u0000]+$"),
                )
            },
            optional("user", "The user name; an anonymous client if absent.", ParameterKind::Text),
            optional("client_id", "The client identifier.", ParameterKind::Text),
            optional("address", "Where the client comes from.", ParameterKind::Text),
            optional("certificate", "The common name of its certificate.", ParameterKind::Text),
            optional("certificate_subject", "The whole subject of its certificate.", ParameterKind::Text),
            optional(
                "certificate_san",
                "An alternative name, such as DNS:pump-7.example.",
                ParameterKind::Text,
            ),
            optional("certificate_fingerprint", "SHA-256 of its certificate.", ParameterKind::Text),
            optional(
                "roles",
                "Roles that it has by its token or from the hook, with commas between.",
                ParameterKind::Text,
            ),
            optional("qos", "The QoS to publish with.", ParameterKind::Number(0, 2)),
            optional("retain", "Whether a retained message is to be published.", ParameterKind::Flag),
        ],
        "Why",
        Operation::Why,
    ),
];

const fn get(
    path: &'static str,
    access: Access,
    summary: &'static str,
    query: &'static [Parameter],
    answer: &'static str,
    operation: Operation,
) -> Route {
    Route { method: Method::GET, path, access, summary, query, body: None, answer, operation }
}

const fn change(
    method: Method,
    path: &'static str,
    access: Access,
    summary: &'static str,
    body: Option<&'static str>,
    answer: &'static str,
    operation: Operation,
) -> Route {
    Route { method, path, access, summary, query: &[], body, answer, operation }
}

const fn optional(name: &'static str, about: &'static str, kind: ParameterKind) -> Parameter {
    Parameter { name, about, kind, required: false }
}

impl Operation {
    pub(super) async fn run(self, call: Call) -> Result<Answer, Problem> {
        match self {
            Self::Health => health::health(&call).await,
            Self::Ready => Ok(health::ready(&call)),
            Self::Metrics => metrics::metrics(&call).await,
            Self::OpenApi => Ok(Answer::json(&openapi::document())),
            Self::Broker => broker::broker(&call).await,
            Self::Listeners => Ok(broker::listeners(&call)),
            Self::Drops => broker::drops(&call).await,
            Self::Configuration => Ok(configuration::configuration(&call)),
            Self::Reload => configuration::reload(&call).await,
            Self::Clients => clients::list(&call).await,
            Self::Client => clients::show(&call).await,
            Self::Disconnect => clients::disconnect(&call).await,
            Self::EndSession => clients::end_session(&call).await,
            Self::ClientSubscriptions => subscriptions::of_client(&call).await,
            Self::TopTalkers => traffic::top_talkers(&call).await,
            Self::SlowSubscribers => traffic::slow_subscribers(&call).await,
            Self::ClientTrace => trace::trace(&call).await,
            Self::ClientHistory => history::history(&call).await,
            Self::LogLevels => log_levels::set(&call),
            Self::Subscriptions => subscriptions::list(&call).await,
            Self::Topic => subscriptions::topic(&call).await,
            Self::RetainedList => retained::list(&call),
            Self::RetainedGet => retained::show(&call),
            Self::RetainedDelete => retained::delete(&call).await,
            Self::Publish => publish::publish(&call).await,
            Self::Bans => bans::list(&call),
            Self::Ban => bans::add(&call).await,
            Self::LiftBan => bans::remove(&call).await,
            Self::Users => users::list(&call),
            Self::User => users::show(&call),
            Self::PutUser => users::put(&call).await,
            Self::DeleteUser => users::remove(&call).await,
            Self::Roles => roles::list(&call),
            Self::Role => roles::show(&call),
            Self::PutRole => roles::put(&call).await,
            Self::DeleteRole => roles::remove(&call).await,
            Self::GrantRole => roles::set_members(&call, true).await,
            Self::RevokeRole => roles::set_members(&call, false).await,
            Self::Groups => groups::list(&call),
            Self::Group => groups::show(&call),
            Self::PutGroup => groups::put(&call).await,
            Self::DeleteGroup => groups::remove(&call).await,
            Self::AddToGroup => groups::set_members(&call, true).await,
            Self::RemoveFromGroup => groups::set_members(&call, false).await,
            Self::Why => why::why(&call),
        }
    }
}

impl Route {
    /// What stands for `{...}` in a path, if it is one of this route.
    ///
    /// # Errors
    /// It is not encoded rightly.
    fn captures(&self, path: &str) -> Result<Option<String>, Problem> {
        let (mut ours, mut theirs) = (self.path.split('/'), path.split('/'));
        let mut captured = String::new();
        loop {
            match (ours.next(), theirs.next()) {
                (None, None) => return Ok(Some(captured)),
                (Some(ours), Some(theirs)) if ours.starts_with('{') && !theirs.is_empty() => {
                    captured = query::decode(theirs)?;
                }
                (Some(ours), Some(theirs)) if ours == theirs => {}
                _ => return Ok(None),
            }
        }
    }
}

/// The route of a request, and what stands for `{...}` in its path.
///
/// # Errors
/// There is no such path, or it does not have this method.
pub(super) fn find(method: &Method, path: &str) -> Result<(&'static Route, String), Problem> {
    let mut methods = Vec::new();
    for route in &ROUTES {
        let Some(captured) = route.captures(path)? else { continue };
        if route.method == *method {
            return Ok((route, captured));
        }
        methods.push(route.method.as_str());
    }
    if methods.is_empty() {
        return Err(Problem::not_found(
            format!("there is no {path:?}"),
            "see /api/v1/openapi.json for what there is",
        ));
    }
    Err(Problem::wrong_method(methods.join(", ")))
}
