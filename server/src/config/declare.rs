//! Macro behind the table of settings.

/// Declares every setting once: the fields of `Config` and `Storage`, their defaults, the rows of `SETTINGS`, and the
/// list from which `ServerBuilder` makes its setters (`with_settings!`).
///
/// An entry is a field with its documentation and its default, the default with a `zoo.cfg` if that differs, and a row
/// with everything else. The first paragraph of the documentation is the line of `--help` and of docs/configuration.md.
/// `@own` marks a field whose setter is written by hand.
macro_rules! settings {
    (
        $(#[$of_config:meta])*
        pub struct Config {
            $(
                $(#[doc = $doc:literal])+
                $(@$own:ident)? $name:ident: $type:ty = $default:expr $(, zoo_cfg $zoo_cfg:expr)? => $row:expr;
            )*
        }

        $(#[$of_storage:meta])*
        pub struct Storage {
            $(
                $(#[doc = $folder_doc:literal])+
                $folder_name:ident: $folder_type:ty = $folder_default:expr => $folder_row:expr;
            )*
        }

        $(#[$of_settings:meta])*
        pub const SETTINGS: &[Setting];
    ) => {
        $(#[$of_config])*
        pub struct Config {
            $($(#[doc = $doc])+ pub $name: $type,)*
            /// Data folder. Default: none; the state is in memory.
            pub storage: Storage,
        }

        impl Default for Config {
            fn default() -> Self {
                Self {
                    $($name: $default,)*
                    storage: Storage::default(),
                }
            }
        }

        impl Config {
            /// Sets the defaults that a server with a `zoo.cfg` has.
            fn set_zoo_cfg_defaults(&mut self) {
                $($(self.$name = $zoo_cfg;)?)*
            }
        }

        $(#[$of_storage])*
        pub struct Storage {
            $($(#[doc = $folder_doc])+ pub $folder_name: $folder_type,)*
        }

        impl Default for Storage {
            fn default() -> Self {
                Self { $($folder_name: $folder_default,)* }
            }
        }

        $(#[$of_settings])*
        pub const SETTINGS: &[Setting] = &[
            $(Setting {
                name: stringify!($name),
                doc: &[$($doc),+],
                needs_data_dir: false,
                get: |config| config.$name.format(),
                set: |config, text| {
                    config.$name = Value::parse(text)?;
                    Ok(())
                },
                ..$row.of_type(<$type as Value>::VALUES)
            },)*
            $(Setting {
                name: stringify!($folder_name),
                doc: &[$($folder_doc),+],
                needs_data_dir: true,
                get: |config| config.storage.$folder_name.format(),
                set: |config, text| {
                    config.storage.$folder_name = Value::parse(text)?;
                    Ok(())
                },
                ..$folder_row.of_type(<$folder_type as Value>::VALUES)
            },)*
        ];

        /// Calls a macro with every field of `Config`.
        macro_rules! with_settings {
            ($callback:ident) => {
                $callback! { $([$($own)?] $(#[doc = $doc])+ $name: $type;)* }
            };
        }
        pub(crate) use with_settings;
    };
}
pub(super) use settings;
