use super::*;
use option::Section;

fn problems(text: &str) -> String {
    Config::parse("ferry.toml", text).expect_err("the file is wrong").to_string()
}

fn load(file: &str, environment: &[(&str, &str)], flags: Flags) -> Result<Loaded, Problems> {
    let directory = std::env::temp_dir().join(format!(
        "ferry-config-{}-{:?}",
        std::process::id(),
        std::thread::current().id()
    ));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("ferry.toml");
    std::fs::write(&path, file).unwrap();
    let environment = [("HOME", "/h")].iter().chain(environment);
    let environment = environment.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let loaded = Config::load(&Sources { file: Some(path), environment, flags });
    std::fs::remove_dir_all(&directory).unwrap();
    loaded
}

fn every_option() -> impl Iterator<Item = (&'static SectionSpec, &'static option::OptionSpec)> {
    SECTIONS.into_iter().flat_map(|spec| spec.options.iter().map(move |option| (spec, option)))
}

#[test]
fn an_empty_file_gives_the_defaults() {
    let loaded = Config::parse("ferry.toml", "").unwrap();
    assert_eq!(loaded.config, Config::default());
    assert!(loaded.warnings.is_empty());
}

#[test]
fn every_mistake_is_reported_with_place_and_remedy() {
    let text = "\
[limits]
packet_size_byte_max = 5
queue_messages_max = \"many\"
  connections_max = 0
receive_maximum_strict = true

[sesion]
x = 1

[[listener]]
address = \"mqtt://localhost:1883\"
maximum_qos = 3
";
    let expected = "\
ferry.toml:2:1: limits.packet_size_byte_max: unknown key
  help: did you mean \"packet_size_bytes_max\"?
ferry.toml:5:1: limits.receive_maximum_strict: unknown key
  help: this key belongs to [session]
ferry.toml:7:2: unknown section \"sesion\"
  help: did you mean [session]?
ferry.toml:3:1: limits.queue_messages_max: expected a whole number, found the text \"many\"
  help: allowed: 1 to 100000000
ferry.toml:4:3: limits.connections_max: 0 is out of range
  help: allowed: 1 to 100000000
ferry.toml:11:1: listener[0].address: \"mqtt://localhost:1883\" is not an address to listen on: unknown scheme \"mqtt\"; write tcp://
  help: allowed: an address such as tcp://127.0.0.1:1883
ferry.toml:12:1: listener[0].maximum_qos: 3 is out of range
  help: allowed: 0 to 2";
    assert_eq!(problems(text), expected);
}

#[test]
fn a_wrong_address_says_nothing_of_the_listener_it_is_not() {
    // The default address must not be in the place of the wrong one.
    let text = problems(
        "[[listener]]\naddress = \"tcp://127.0.0.1:1883\"\n[[listener]]\naddress = \"tlss://127.0.0.1:8883\"\n\
         tls_key_file = \"k.pem\"\n[[listener]]\nmaximum_qos = 1\n",
    );
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("  help: ")).collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(lines[0].starts_with("ferry.toml:4:1: listener[1].address: "), "{text}");
    assert!(lines[1].ends_with("listener[2]: this listener has no address"), "{text}");
}

#[test]
fn all_files_that_are_missing_are_named() {
    let text = problems(
        "[[listener]]\naddress = \"tls://127.0.0.1:8883\"\ntls_certificate_file = \"/nowhere/chain.pem\"\n\
         tls_key_file = \"/nowhere/key.pem\"\n",
    );
    assert!(text.contains("ferry.toml:3:1: listener[0].tls_certificate_file: /nowhere/chain.pem"), "{text}");
    assert!(text.contains("ferry.toml:4:1: listener[0].tls_key_file: /nowhere/key.pem"), "{text}");
}

#[test]
fn a_key_that_two_sections_have() {
    let text = problems("connections_max = 5\n");
    assert!(text.contains("write it under [[listener]] or [limits]"), "{text}");
}

#[test]
fn wrong_toml_is_named_by_its_line() {
    let text = problems("[limits]\nconnections_max = = 5\n");
    assert!(text.starts_with("ferry.toml:2:"), "{text}");
    assert!(text.contains("not valid TOML"), "{text}");
}

#[test]
fn keys_outside_their_section_and_wrong_brackets() {
    let text = problems("queue_messages_max = 5\n[listener]\naddress = \"tcp://127.0.0.1:1883\"\n");
    assert!(
        text.contains("ferry.toml:1:1: the key \"queue_messages_max\" stands outside its section"),
        "{text}"
    );
    assert!(text.contains("write it under [limits]"), "{text}");
    assert!(text.contains("write [[listener]], with two brackets"), "{text}");
}

#[test]
fn flags_over_environment_over_file() {
    let file = "[log]\nlevel = \"warn\"\n[sys]\ninterval_seconds = 1\n[limits]\nconnections_max = 7\n";
    let environment = [("FERRY_LOG_LEVEL", "debug"), ("FERRY_SYS_INTERVAL_SECONDS", "2m"), ("PATH", "/bin")];
    let flags = Flags { log_level: Some("trace".to_owned()), ..Flags::default() };
    let config = load(file, &environment, flags).unwrap().config;
    assert_eq!(config.log.level, LogLevel::Trace);
    assert_eq!(config.sys.interval_seconds, 120);
    assert_eq!(config.limits.connections_max, 7);
}

#[test]
fn listeners_of_the_environment() {
    let file = "[[listener]]\naddress = \"tcp://127.0.0.1:1\"\n";
    let environment = [
        ("FERRY_LISTENER_0_MAXIMUM_QOS", "1"),
        ("FERRY_LISTENER_1_ADDRESS", "ws://127.0.0.1:2"),
        ("FERRY_LISTENER_1_PROTOCOL_VERSIONS", "3.1.1, 5.0"),
    ];
    let listeners = load(file, &environment, Flags::default()).unwrap().config.listeners;
    assert_eq!(listeners.len(), 2);
    assert_eq!(listeners[0].maximum_qos, ferry_codec::QoS::AtLeastOnce);
    assert_eq!(listeners[1].address.to_string(), "ws://127.0.0.1:2/mqtt");
    assert_eq!(listeners[1].protocol_versions.len(), 2);

    let error = load(file, &[("FERRY_LISTENER_2_MAXIMUM_QOS", "1")], Flags::default()).unwrap_err();
    assert!(error.to_string().contains("there is no listener 1"), "{error}");
    let error = load("", &[("FERRY_LISTENER_0_MAXIMUM_QOS", "1")], Flags::default()).unwrap_err();
    assert!(error.to_string().contains("set FERRY_LISTENER_0_ADDRESS="), "{error}");
}

#[test]
fn listen_replaces_all_other_listeners() {
    let file = "[[listener]]\naddress = \"tcp://127.0.0.1:1\"\n";
    let environment = [("FERRY_LISTEN", "tcp://127.0.0.1:2,tcp://127.0.0.1:3")];
    let addresses = |flags| -> Vec<String> {
        let listeners = load(file, &environment, flags).unwrap().config.listeners;
        listeners.iter().map(|listener| listener.address.to_string()).collect()
    };
    assert_eq!(addresses(Flags::default()), ["tcp://127.0.0.1:2", "tcp://127.0.0.1:3"]);
    let flags = Flags { listen: vec!["tcp://127.0.0.1:4".to_owned()], ..Flags::default() };
    assert_eq!(addresses(flags), ["tcp://127.0.0.1:4"]);
}

#[test]
fn wrong_variables() {
    let error = load("", &[("FERRY_LIMITS_CONECTIONS_MAX", "1")], Flags::default()).unwrap_err().to_string();
    assert!(error.contains("environment variable FERRY_LIMITS_CONECTIONS_MAX: "), "{error}");
    assert!(error.contains("did you mean \"connections_max\"?"), "{error}");
    let variables = [
        ("FERRY_LIMIT_CONNECTIONS_MAX", "1"),
        ("FERRY_TEST_BINARY", "b"),
        ("FERRY_SERVICE_HOST", "h"),
        ("FERRY_SERVER_PORT_1883_TCP", "p"),
    ];
    let warnings = load("", &variables, Flags::default()).unwrap().warnings;
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert_eq!(warnings[0].remedy, "did you mean FERRY_LIMITS_CONNECTIONS_MAX?");
}

#[test]
fn a_listener_off_loopback_is_refused_without_users() {
    let flags = |allow_anonymous| Flags {
        listen: vec!["tcp://0.0.0.0:1883".to_owned()],
        allow_anonymous,
        ..Flags::default()
    };
    let error = load("", &[], flags(false)).unwrap_err().to_string();
    assert!(
        error.starts_with("flag --listen: listener[0].address: other machines can reach tcp://0.0.0.0:1883"),
        "{error}"
    );
    assert!(error.contains("--allow-anonymous"), "{error}");
    let loaded = load("", &[], flags(true)).unwrap();
    assert_eq!(loaded.warnings.len(), 1);
    assert!(loaded.config.listeners[0].anonymous_allowed(&loaded.config.authentication));
}

#[test]
fn a_configuration_made_by_a_program_is_checked_too() {
    let mut config = Config::default();
    assert_eq!(config.check(), Ok(()));
    config.listeners.clear();
    let error = config.check().unwrap_err().to_string();
    assert!(error.starts_with("configuration: listener: there is no listener"), "{error}");
}

#[test]
fn storage_is_on_disk_unless_told_otherwise() {
    let storage = |file: &str, flags| load(file, &[], flags).unwrap().config.storage;
    let usual = storage("", Flags::default());
    assert_eq!(usual.durability, Durability::Fsync);
    assert!(usual.data_directory.is_some_and(|directory| directory.ends_with("ferry")));
    let flags = Flags { data_directory: Some("/d".into()), ..Flags::default() };
    assert_eq!(storage("", flags).data_directory, Some("/d".into()));
    let flags = Flags { memory: true, ..Flags::default() };
    let file = "[storage]\ndata_directory = \"/d\"\ndurability = \"os\"\n";
    let in_memory = storage(file, flags);
    assert_eq!((in_memory.durability, in_memory.directory()), (Durability::Memory, None));
}

#[test]
fn the_durability_of_topics() {
    let file = |rules: &str, durability: &str| {
        format!("[storage]\ndurability = \"{durability}\"\ntopic_durability = {rules}\n")
    };
    let rules = "[\"orders/# = fsync\", \"#=memory\"]";
    let storage = Config::parse("ferry.toml", &file(rules, "os")).unwrap().config.storage;
    assert_eq!(storage.topic_durability.len(), 2);
    assert_eq!(storage.topic_durability[1].to_string(), "# = memory");
    let error = problems(&file("[\"a# = os\"]", "os"));
    assert!(
        error.contains("storage.topic_durability: \"a# = os\": what stands before the = is not"),
        "{error}"
    );
    let warnings = Config::parse("ferry.toml", &file(rules, "memory")).unwrap().warnings;
    assert!(warnings[0].message.contains("without effect"), "{warnings:?}");
    let variable = [("FERRY_STORAGE_TOPIC_DURABILITY", "a=os,b=memory")];
    assert_eq!(load("", &variable, Flags::default()).unwrap().config.storage.topic_durability.len(), 2);
}

#[test]
fn tls_needs_its_files() {
    let error =
        problems("[[listener]]\naddress = \"tls://127.0.0.1:8883\"\ntls_key_file = \"/nowhere/key.pem\"\n");
    assert!(error.contains("ferry.toml:2:1: listener[0].tls_certificate_file: "), "{error}");
    assert!(error.contains("--tls-cert FILE.pem"), "{error}");
    let error = problems(
        "[[listener]]\naddress = \"tls://127.0.0.1:8883\"\ntls_key_file = \"/nowhere/key.pem\"\n\
         tls_certificate_file = \"/nowhere/chain.pem\"\n",
    );
    assert!(
        error.contains("ferry.toml:4:1: listener[0].tls_certificate_file: /nowhere/chain.pem cannot be read"),
        "{error}"
    );
    let flags = Flags { tls_key_file: Some("k.pem".into()), ..Flags::default() };
    let error = load("", &[], flags).unwrap_err().to_string();
    assert!(error.contains("flag --tls-key: no listener uses TLS"), "{error}");
    let error = problems("[[listener]]\naddress = \"tcp://127.0.0.1:1\"\ntls_key_file = \"k.pem\"\n");
    assert!(error.contains("does not use TLS"), "{error}");
}

#[test]
fn the_same_address_twice() {
    let error = problems(
        "[[listener]]\naddress = \"tcp://127.0.0.1:1\"\n[[listener]]\naddress = \"ws://127.0.0.1:1\"\n",
    );
    assert!(error.contains("ferry.toml:4:1: listener[1].address: another listener"), "{error}");
    let text =
        "[[listener]]\naddress = \"tcp://127.0.0.1:0\"\n[[listener]]\naddress = \"tcp://127.0.0.1:0\"\n";
    assert!(Config::parse("ferry.toml", text).is_ok());
}

#[test]
fn web_pages_are_named_by_their_origins() {
    let listener =
        |line: &str| format!("[[listener]]\naddress = \"ws://127.0.0.1:1\"\nwebsocket_origins = {line}\n");
    for (line, rules) in [
        ("\"auto\"", "[Local]"),
        ("[]", "[]"),
        ("[\"*\"]", "[Any]"),
        ("[\"local\", \"HTTPS://a.example:443\"]", "[Local, Page(\"https://a.example\")]"),
    ] {
        let config = Config::parse("ferry.toml", &listener(line)).unwrap().config;
        assert_eq!(format!("{:?}", config.listeners[0].origin_rules()), rules);
    }
    let error = problems(&listener("[\"https://a.example/\"]"));
    assert!(error.contains("ferry.toml:3:1: listener[0].websocket_origins: "), "{error}");
    assert!(error.contains("without a path"), "{error}");
    let flags = Flags { allow_anonymous: true, ..Flags::default() };
    let environment =
        [("FERRY_LISTEN", "ws://*:1"), ("FERRY_LISTENER_0_WEBSOCKET_ORIGINS", "local,https://a.example")];
    let config = load("", &environment, flags.clone()).unwrap().config;
    assert_eq!(config.listeners[0].origin_rules().len(), 2);
    let loaded = load("", &environment[..1], flags).unwrap();
    assert_eq!(loaded.config.listeners[0].origin_rules(), [ferry_net::OriginRule::Any]);
    assert!(loaded.warnings[0].message.contains("so may every web page"), "{:?}", loaded.warnings);
}

#[test]
fn limits_that_contradict_each_other() {
    let error = problems("[limits]\npacket_size_bytes_max = \"64 MiB\"\n");
    assert!(
        error.starts_with("ferry.toml:2:1: limits.packet_size_bytes_max: 67108864 is more than"),
        "{error}"
    );
    assert!(error.contains("lower limits.packet_size_bytes_max or raise limits.queue_bytes_max"), "{error}");
    let loaded = Config::parse("ferry.toml", "[limits]\nqueue_bytes_max = \"1 GiB\"\n").unwrap();
    assert_eq!(loaded.warnings.len(), 1);
}

#[test]
fn defaults_fit_their_kinds_and_come_back_from_their_texts() {
    let defaults = Config::default();
    for (spec, option) in every_option() {
        let mut listener = Listener::default();
        let mut config = defaults.clone();
        let section: &mut dyn Section = config.section_mut(spec.name).unwrap_or(&mut listener);
        let default = section.setting(option.key).unwrap();
        let text = format!("x = {}", option.kind.show(&default));
        let table = toml::de::DeTable::parse(&text).unwrap();
        let raw = file::raw(table.get_ref()["x"].get_ref());
        assert_eq!(option.kind.check(&raw).as_ref(), Ok(&default), "{}.{}", spec.name, option.key);
    }
}

#[test]
fn the_bounds_of_every_kind_fit_the_field() {
    fn bounds(kind: Kind) -> Vec<Setting> {
        match kind {
            Kind::Count { min, max } | Kind::Bytes { min, max } | Kind::Seconds { min, max } => {
                vec![Setting::Number(min), Setting::Number(max)]
            }
            Kind::Choice(names) => names.iter().map(|name| Setting::Text((*name).to_owned())).collect(),
            Kind::Choices(names) => {
                vec![Setting::List(names.iter().map(|name| (*name).to_owned()).collect())]
            }
            Kind::Or(_, kind) => [vec![Setting::Absent], bounds(*kind)].concat(),
            Kind::DurabilityRules => vec![Setting::List(vec!["a/# = os".to_owned()])],
            Kind::Origins => vec![Setting::List(vec![]), Setting::List(vec!["https://a.example".to_owned()])],
            Kind::HostNames => vec![Setting::List(vec!["ferry.example".to_owned()])],
            Kind::Bans => {
                vec![Setting::List(vec!["address=192.0.2.0/24; until=1970-01-02T00:00:00Z".to_owned()])]
            }
            Kind::Realms => vec![Setting::List(vec!["EXAMPLE.COM".to_owned()])],
            Kind::PeerRules => vec![Setting::List(vec!["user=ada plant".to_owned()])],
            Kind::Networks => vec![Setting::List(vec!["10.20.0.0/16".to_owned()])],
            Kind::AdminTokens => {
                let hash = format!("b admin sha256:{}", "0f".repeat(32));
                vec![Setting::List(vec!["a viewer /f".to_owned(), hash])]
            }
            Kind::Flag => vec![Setting::Flag(true), Setting::Flag(false)],
            Kind::Path => vec![Setting::Absent, Setting::Text("/a".to_owned())],
            Kind::Text => vec![Setting::Text("a".to_owned())],
            Kind::Address => vec![Setting::Text("tcp://[::1]:1".to_owned())],
            Kind::FileMode => vec![Setting::Text("0000".to_owned()), Setting::Text("7777".to_owned())],
        }
    }
    for (spec, option) in every_option() {
        for setting in bounds(option.kind) {
            let mut listener = Listener::default();
            let mut config = Config::default();
            let section: &mut dyn Section = config.section_mut(spec.name).unwrap_or(&mut listener);
            assert_eq!(
                section.set(option.key, setting.clone()),
                Some(()),
                "{}.{} {setting:?}",
                spec.name,
                option.key
            );
            assert_eq!(section.setting(option.key), Some(setting), "{}.{}", spec.name, option.key);
        }
    }
}

#[test]
fn every_option_is_reachable_by_its_variable() {
    for (spec, option) in every_option() {
        let name = environment::variable_name(spec, option).replace("<N>", "0");
        let contents = environment::parse(&[(name.clone(), "1".to_owned())]);
        assert_eq!(contents.assignments.len(), 1, "{name}");
        assert_eq!(contents.assignments[0].key, option.key, "{name}");
    }
}

/// Compares a file of the repository with what the table gives, or writes it if `UPDATE_DOCUMENTS` is set.
fn assert_document(path: &str, expected: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    if std::env::var_os("UPDATE_DOCUMENTS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "{} is out of date: run UPDATE_DOCUMENTS=1 cargo test -p ferry-broker",
        path.display()
    );
}

#[test]
fn the_example_file_documents_every_option_with_its_default() {
    let example = example();
    assert_document("ferry.example.toml", &example);
    assert_eq!(Config::parse("ferry.example.toml", &example).unwrap().config, Config::default());
    for (_, option) in every_option() {
        assert!(example.contains(&format!("\n#{} = ", option.key)), "{}", option.key);
    }
    let uncommented: Vec<&str> = example
        .lines()
        .map(|line| {
            line.strip_prefix('#').filter(|rest| !rest.is_empty() && !rest.starts_with(' ')).unwrap_or(line)
        })
        .collect();
    let loaded = Config::parse("ferry.example.toml", &uncommented.join("\n")).unwrap();
    assert_eq!(loaded.config, Config::default());
    assert!(loaded.warnings.is_empty());
}

#[test]
fn the_reference_of_the_guide_is_up_to_date() {
    assert_document("docs/guide/src/reference.md", &reference());
}

#[test]
fn the_guide_names_every_drop_reason() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide/src/sys.md");
    let guide = std::fs::read_to_string(path).unwrap();
    for reason in ferry_session::DropReason::ALL {
        assert!(guide.contains(&format!("| `{}` |", reason.name())), "{reason}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(
        words in proptest::collection::vec("[\\[\\]a-z_=\"\n.0-9é ]{1,6}|\\[\\[listener\\]\\]\n|address = |true", 0..20)
    ) {
        if let Err(problems) = Config::parse("ferry.toml", &words.concat()) {
            proptest::prop_assert!(!problems.0.is_empty());
        }
    }
}

/// A file of users with these lines.
fn users(test: &str, lines: &str, mode: u32) -> String {
    use std::os::unix::fs::PermissionsExt;
    let file = std::env::temp_dir().join(format!("ferry-config-{}-{test}", std::process::id()));
    std::fs::write(&file, lines).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    file.display().to_string()
}

const USER: &str = "ada:$2b$04$weZYFtV2KpNJcJoVYMyaeeUSeybMgJv7IQFBx5f8hcYeO3EJCQBVm\n";

#[test]
fn a_password_file_replaces_anonymous_clients_unless_they_are_allowed() {
    let file = users("replaces", USER, 0o640);
    let text = format!(
        "[authentication]\npassword_file = \"{file}\"\n\
         [[listener]]\naddress = \"tcp://127.0.0.1:1\"\n\
         [[listener]]\naddress = \"tcp://*:2\"\nproxy_protocol = true\n\
         [[listener]]\naddress = \"tcp://127.0.0.1:3\"\nallow_anonymous = true\n\
         [[listener]]\naddress = \"tcp://127.0.0.1:4\"\nauthentication = []\n"
    );
    let error = load(&text, &[], Flags::default()).unwrap_err().to_string();
    assert!(error.contains("listener[3].authentication"), "an empty list is none: {error}");
    let loaded = load(
        text.split("[[listener]]\naddress = \"tcp://127.0.0.1:4\"").next().unwrap(),
        &[],
        Flags::default(),
    );
    let loaded = loaded.unwrap();
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    let config = loaded.config;
    let allowed = |index: usize| config.listeners[index].anonymous_allowed(&config.authentication);
    assert_eq!([allowed(0), allowed(1), allowed(2)], [false, false, true]);
    assert!(
        config.summary().contains("tcp://127.0.0.1:3  (password, anonymous allowed)"),
        "{}",
        config.summary()
    );
    std::fs::remove_file(file).unwrap();
}

#[test]
fn mistakes_in_a_password_file_are_told_with_their_line() {
    let file = users("mistakes", &format!("{USER}ben:hunter2\ncarol\n"), 0o600);
    let flags = Flags { password_file: Some(file.clone().into()), ..Flags::default() };
    let error = load("", &[], flags).unwrap_err().to_string();
    let expected =
        format!("{file}:2:1: authentication.password_file: user \"ben\": the password is in plain text");
    assert!(error.contains(&expected) && error.contains(&format!("{file}:3:1: ")), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
    std::fs::remove_file(file).unwrap();
}

#[test]
fn a_password_file_that_is_not_there_or_open_to_all_is_told() {
    let flags = |file: &str| Flags { password_file: Some(file.into()), ..Flags::default() };
    let error = load("", &[], flags("/nowhere/passwords")).unwrap_err().to_string();
    assert!(error.contains("/nowhere/passwords: authentication.password_file"), "{error}");
    assert!(error.contains("ferry passwd -c"), "{error}");
    let file = users("open", &format!("{USER}ben:$6$dGVzdA==${}\n", "A".repeat(86) + "=="), 0o644);
    let warnings = load("", &[], flags(&file)).unwrap().warnings;
    let messages: Vec<&str> = warnings.iter().map(|warning| &*warning.message).collect();
    assert_eq!(
        messages,
        [
            "other users of this machine may read it (its mode is 0644)",
            "whoever gets the file can try passwords quickly: 1 of 2 users have a weak hash",
        ]
    );
    std::fs::remove_file(file).unwrap();
}

#[test]
fn an_authenticator_needs_what_it_judges() {
    let text = "[[listener]]\naddress = \"tcp://127.0.0.1:1\"\nauthentication = [\"password_file\", \"certificate\"]\n";
    let error = load(text, &[], Flags::default()).unwrap_err().to_string();
    assert!(error.contains("there is no password file"), "{error}");
    assert!(error.contains("clients are not asked for a certificate here"), "{error}");
    let text = "[[listener]]\naddress = \"tcp://127.0.0.1:1\"\nallow_anonymous = false\n";
    let error = load(text, &[], Flags::default()).unwrap_err().to_string();
    assert!(error.contains("nobody judges clients here"), "{error}");
}

#[test]
fn a_keytab_lets_clients_in_by_tickets() {
    let file = users("keytab", "\u{5}\u{2}", 0o600);
    let keytab = |more: &str| {
        load(&format!("[authentication]\nkerberos_keytab_file = \"{file}\"\n{more}"), &[], Flags::default())
    };
    let wrong = |more: &str| keytab(more).unwrap_err().to_string();
    assert!(wrong("kerberos_realms = [\"A B\"]\n").contains("not a realm"));
    let text = "[[listener]]\naddress = \"tcp://127.0.0.1:1\"\nauthentication = [\"kerberos\"]\n";
    assert!(problems(text).contains("there is no key for Kerberos"));
    if cfg!(feature = "kerberos") {
        let loaded = keytab("").unwrap();
        assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
        let summary = loaded.config.summary();
        assert!(summary.contains("tcp://127.0.0.1:1883  (Kerberos, users only)"), "{summary}");
        assert!(wrong("kerberos_service = \"mqtt/broker\"\n").contains("authentication.kerberos_service"));
        users("keytab", "\u{5}\u{2}", 0o644);
        let warning = &keytab("").unwrap().warnings[0];
        assert!(warning.to_string().contains("other users of this machine may read it"), "{warning}");
        users("keytab", "mqtt/broker.example", 0o600);
        assert!(wrong("").contains("authentication.kerberos_keytab_file: it is no keytab"));
    } else {
        assert!(wrong("").contains("--features kerberos"));
    }
    std::fs::remove_file(file).unwrap();
}

#[test]
fn pre_shared_keys_take_the_place_of_certificates() {
    let file = users("keys", "pump 7:1ab\n", 0o600);
    let listener = |address: &str, more: &str| {
        let text = format!("[[listener]]\naddress = \"{address}\"\ntls_psk_file = \"{file}\"\n{more}");
        load(&text, &[], Flags::default())
    };
    let wrong = |address: &str, more: &str| listener(address, more).unwrap_err().to_string();
    assert!(wrong("tcp://127.0.0.1:1", "").contains("tcp://127.0.0.1:1 does not use TLS"));
    let error = wrong("tls://*:1", "tls_key_file = \"key.pem\"\ntls_client_certificate = \"required\"\n");
    assert!(error.contains("ferry.toml:4:1: listener[0].tls_key_file: nobody has a certificate"), "{error}");
    assert!(error.contains("ferry.toml:5:1: listener[0].tls_client_certificate: "), "{error}");
    let text = "[[listener]]\naddress = \"tcp://127.0.0.1:1\"\nauthentication = [\"psk\"]\n";
    assert!(problems(text).contains("clients have no pre-shared keys here"));
    let loaded = listener("tls://*:1", "");
    if cfg!(feature = "psk") {
        let loaded = loaded.unwrap();
        assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
        let summary = loaded.config.summary();
        assert!(summary.contains("tls://*:1  (pre-shared key, users only)"), "{summary}");
        users("keys", "pump 7:1ab\npump 8\n", 0o644);
        let error = wrong("tls://*:1", "");
        assert!(error.contains("ferry.toml:3:1: listener[0].tls_psk_file: "), "{error}");
        assert!(error.contains("line 2: there is no colon"), "{error}");
        users("keys", "pump 7:1ab\n", 0o644);
        let warning = &listener("tls://*:1", "").unwrap().warnings[0];
        assert!(warning.to_string().contains("other users of this machine may read it"), "{warning}");
    } else {
        let error = loaded.unwrap_err().to_string();
        assert!(error.contains("ferry.toml:3:1: listener[0].tls_psk_file: "), "{error}");
        assert!(error.contains("--features psk"), "{error}");
    }
    std::fs::remove_file(file).unwrap();
}
