//! The grammars of names, against all kinds of text.

use proptest::prelude::*;
use slipway_core::{AppName, ProcessType, Username};

/// A character that no name of any kind may hold.
fn foreign() -> impl Strategy<Value = char> {
    any::<char>().prop_filter("allowed somewhere", |c| !c.is_ascii_alphanumeric() && !"-_.@+".contains(*c))
}

/// `text` with `c` put in somewhere.
fn with(text: &str, c: char, place: prop::sample::Index) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    chars.insert(place.index(chars.len() + 1), c);
    chars.into_iter().collect()
}

proptest! {
    #[test]
    fn app_names_of_the_grammar_are_taken_and_safe(name in "[a-z]([a-z0-9-]{0,61}[a-z0-9])?") {
        let read = AppName::new(name.clone()).unwrap();
        prop_assert_eq!(read.as_str(), &name);
        prop_assert_eq!(read.to_string().parse::<AppName>().unwrap(), read);
        // A label of DNS, and one part of a path that is no option.
        prop_assert!(name.len() <= 63 && !name.contains(['/', '.']) && !name.starts_with('-') && !name.ends_with('-'));
    }

    #[test]
    fn app_names_with_one_thing_wrong_are_refused(
        name in "[a-z][a-z0-9]{0,30}", c in foreign(), place: prop::sample::Index, digit in "[0-9]", capital in "[A-Z]",
    ) {
        prop_assert!(AppName::new(with(&name, c, place)).is_err());
        for bad in [
            format!("{name}-"), format!("-{name}"), format!("{digit}{name}"), format!("{name}{capital}"),
            format!("{name}_"), format!("{name}."), "a".repeat(64 - name.len()) + &name, format!("{name}\n"),
        ] {
            prop_assert!(AppName::new(bad.clone()).is_err(), "{:?}", bad);
        }
    }

    #[test]
    fn user_names_of_the_grammar_are_taken(name in "[A-Za-z0-9_.@+-]{1,150}") {
        let read = Username::new(name.clone()).unwrap();
        prop_assert_eq!(read.as_str(), &name);
        prop_assert_eq!(name.parse::<Username>().unwrap(), read);
    }

    #[test]
    fn user_names_with_one_thing_wrong_are_refused(
        name in "[A-Za-z0-9_.@+-]{1,150}", c in foreign(), place: prop::sample::Index,
    ) {
        prop_assert!(Username::new(with(&name, c, place)).is_err());
        prop_assert!(Username::new(name.clone() + &"a".repeat(151 - name.len())).is_err());
    }

    #[test]
    fn process_types_of_the_grammar_are_taken_and_others_refused(
        name in "[a-z0-9]{1,8}(-[a-z0-9]{1,8}){0,5}", c in foreign(), place: prop::sample::Index,
    ) {
        prop_assert_eq!(ProcessType::new(name.clone()).unwrap().to_string(), name.clone());
        prop_assert!(ProcessType::new(with(&name, c, place)).is_err());
        for bad in [format!("{name}-"), format!("-{name}"), format!("{name}--{name}"), name.to_uppercase() + "A"] {
            prop_assert!(ProcessType::new(bad.clone()).is_err(), "{:?}", bad);
        }
    }

    /// Nothing panics, and what is taken is what was given.
    #[test]
    fn any_text_is_taken_as_it_is_or_refused(text in any::<String>()) {
        for read in [
            AppName::new(text.clone()).map(|name| name.to_string()),
            Username::new(text.clone()).map(|name| name.to_string()),
            ProcessType::new(text.clone()).map(|name| name.to_string()),
        ].into_iter().flatten() {
            prop_assert_eq!(&read, &text);
            prop_assert!(read.is_ascii() && !read.is_empty());
        }
    }
}
