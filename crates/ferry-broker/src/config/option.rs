//! The table of options. Each section is written once, by `section!`: its fields, defaults, documentation and
//! ranges all come from there, and so do the parser, the example file and the reference.

use std::path::PathBuf;

use super::value::{Kind, Setting};

/// Whether a changed option takes effect on reload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// Applied on reload: to new packets and connections; what is already queued or held stays.
    Live,
    /// Applied when the broker starts the next time.
    Restart,
}

/// One option: what a parser, a manual and a reload need to know of it.
#[derive(Clone, Copy, Debug)]
pub struct OptionSpec {
    /// The key inside its section.
    pub key: &'static str,
    /// What it does, in Markdown.
    pub documentation: &'static str,
    /// The values it takes.
    pub kind: Kind,
    /// Whether a reload applies it.
    pub reload: Reload,
}

/// A section: its name, what it is for, and its options.
#[derive(Clone, Copy, Debug)]
pub struct SectionSpec {
    /// Name in the file and, in capitals, in environment variables.
    pub name: &'static str,
    /// What the section is for, in Markdown.
    pub documentation: &'static str,
    /// Its options, in the order in which they are documented.
    pub options: &'static [OptionSpec],
}

impl SectionSpec {
    /// The option with this key.
    pub fn option(&self, key: &str) -> Option<&'static OptionSpec> {
        self.options.iter().find(|option| option.key == key)
    }
}

/// The values of a section, by key.
pub trait Section {
    /// The value of the option `key`; `None` if there is no such option.
    fn setting(&self, key: &str) -> Option<Setting>;

    /// Sets the option `key`; `None` if there is no such option or the setting is not of its type.
    fn set(&mut self, key: &str, setting: Setting) -> Option<()>;
}

/// A type that a field of a section can have.
pub(crate) trait Field: Sized {
    fn from_setting(setting: Setting) -> Option<Self>;
    fn to_setting(&self) -> Setting;
}

impl Field for bool {
    fn from_setting(setting: Setting) -> Option<Self> {
        let Setting::Flag(flag) = setting else { return None };
        Some(flag)
    }

    fn to_setting(&self) -> Setting {
        Setting::Flag(*self)
    }
}

macro_rules! number_field {
    ($($number:ty),*) => {$(
        impl Field for $number {
            fn from_setting(setting: Setting) -> Option<Self> {
                let Setting::Number(number) = setting else { return None };
                number.try_into().ok()
            }

            fn to_setting(&self) -> Setting {
                // Lossless: no supported platform has a `usize` of more than 64 bits.
                Setting::Number(*self as u64)
            }
        }
    )*};
}
number_field!(u8, u16, u32, u64, usize);

impl Field for String {
    fn from_setting(setting: Setting) -> Option<Self> {
        let Setting::Text(text) = setting else { return None };
        Some(text)
    }

    fn to_setting(&self) -> Setting {
        Setting::Text(self.clone())
    }
}

impl Field for PathBuf {
    fn from_setting(setting: Setting) -> Option<Self> {
        String::from_setting(setting).map(Self::from)
    }

    fn to_setting(&self) -> Setting {
        Setting::Text(self.to_string_lossy().into_owned())
    }
}

impl<T: Field> Field for Option<T> {
    fn from_setting(setting: Setting) -> Option<Self> {
        if setting == Setting::Absent { Some(None) } else { T::from_setting(setting).map(Some) }
    }

    fn to_setting(&self) -> Setting {
        self.as_ref().map_or(Setting::Absent, Field::to_setting)
    }
}

impl<T: Field> Field for Vec<T> {
    fn from_setting(setting: Setting) -> Option<Self> {
        let Setting::List(items) = setting else { return None };
        items.into_iter().map(|item| T::from_setting(Setting::Text(item))).collect()
    }

    fn to_setting(&self) -> Setting {
        let texts = self.iter().filter_map(|item| String::from_setting(item.to_setting()));
        Setting::List(texts.collect())
    }
}

/// Defines a section: a struct with public fields, its defaults, and its table of options.
macro_rules! section {
    (
        $(#[doc = $section_doc:literal])*
        pub struct $name:ident = $section:literal {
            $(
                $(#[doc = $doc:literal])*
                $key:ident: $type:ty = $default:expr, $kind:expr, $reload:ident;
            )*
        }
    ) => {
        $(#[doc = $section_doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            $( $(#[doc = $doc])* pub $key: $type, )*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $( $key: $default, )* }
            }
        }

        impl $name {
            /// The section's name, documentation and options.
            pub const SPEC: $crate::config::option::SectionSpec = $crate::config::option::SectionSpec {
                name: $section,
                documentation: concat!($($section_doc, "\n"),*),
                options: &[$(
                    $crate::config::option::OptionSpec {
                        key: stringify!($key),
                        documentation: concat!($($doc, "\n"),*),
                        kind: $kind,
                        reload: $crate::config::option::Reload::$reload,
                    },
                )*],
            };
        }

        impl $crate::config::option::Section for $name {
            fn setting(&self, key: &str) -> Option<$crate::config::value::Setting> {
                match key {
                    $( stringify!($key) => Some($crate::config::option::Field::to_setting(&self.$key)), )*
                    _ => None,
                }
            }

            fn set(&mut self, key: &str, setting: $crate::config::value::Setting) -> Option<()> {
                match key {
                    $( stringify!($key) => self.$key = $crate::config::option::Field::from_setting(setting)?, )*
                    _ => return None,
                }
                Some(())
            }
        }
    };
}
pub(crate) use section;

/// Defines an option's enumeration: the variants, and the name of each in the file.
macro_rules! choices {
    (
        $(#[doc = $doc:literal])*
        $(#[derive($($derived:ident),*)])?
        pub enum $name:ident {
            $( $(#[doc = $variant_doc:literal])* $variant:ident = $text:literal, )*
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $(#[derive($($derived),*)])?
        pub enum $name {
            $( $(#[doc = $variant_doc])* $variant, )*
        }

        impl $name {
            /// The names of the variants in the file.
            pub const NAMES: &'static [&'static str] = &[$($text),*];

            /// The name in the file.
            pub const fn name(self) -> &'static str {
                match self { $( Self::$variant => $text, )* }
            }
        }

        impl $crate::config::option::Field for $name {
            fn from_setting(setting: $crate::config::value::Setting) -> Option<Self> {
                let $crate::config::value::Setting::Text(text) = setting else { return None };
                match text.as_str() {
                    $( $text => Some(Self::$variant), )*
                    _ => None,
                }
            }

            fn to_setting(&self) -> $crate::config::value::Setting {
                $crate::config::value::Setting::Text(self.name().to_owned())
            }
        }
    };
}
pub(crate) use choices;
