//! Names for apps that come without one: `<6-letter adjective>-<8-letter noun>`. Source: `drycc-v2.md` §2.2.

use crate::AppName;
use crate::name::NameError;

const ADJECTIVES: [&str; 48] = [
    "active", "bright", "breezy", "candid", "casual", "clever", "cosmic", "cuddly", "dapper", "daring", "dreamy",
    "earthy", "exotic", "famous", "floral", "frosty", "gentle", "gifted", "golden", "honest", "humble", "jaunty",
    "jovial", "joyful", "kindly", "lively", "lovely", "mellow", "mighty", "modern", "modest", "nimble", "placid",
    "polite", "rugged", "rustic", "serene", "silent", "silver", "simple", "smooth", "steady", "strong", "subtle",
    "superb", "tender", "unique", "wintry",
];

const NOUNS: [&str; 48] = [
    "aardvark", "airplane", "albacore", "anteater", "antelope", "aqueduct", "backpack", "bagpipes", "baritone",
    "bluebird", "bluefish", "boatyard", "brewster", "bungalow", "calliope", "campfire", "capybara", "cardinal",
    "carousel", "chestnut", "chipmunk", "coachman", "cupboard", "daffodil", "doorbell", "elephant", "eggplant",
    "farmyard", "firewood", "foothill", "forklift", "fountain", "goldfish", "headland", "hedgehog", "keyboard",
    "kangaroo", "lavender", "lemonade", "mandolin", "mountain", "mushroom", "notebook", "nuthatch", "pinecone",
    "platypus", "sandwich", "waterway",
];

/// How many names there are.
pub const NAMES: u64 = (ADJECTIVES.len() * NOUNS.len()) as u64;

/// The name for a random number.
///
/// # Errors
/// Never: every combination is a name.
pub fn name_generate(random: u64) -> Result<AppName, NameError> {
    let pick = |list: &[&'static str; 48], number: u64| {
        usize::try_from(number % 48).ok().and_then(|index| list.get(index)).copied().unwrap_or("app")
    };
    AppName::new(format!("{}-{}", pick(&ADJECTIVES, random), pick(&NOUNS, random / 48)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_name_is_of_the_documented_form() {
        let names: BTreeSet<AppName> = (0..NAMES).map(|random| name_generate(random).unwrap()).collect();
        assert_eq!(names.len() as u64, NAMES);
        for name in names {
            let (adjective, noun) = name.as_str().split_once('-').unwrap();
            assert_eq!((adjective.len(), noun.len()), (6, 8), "{name}");
            assert!(name.as_str().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'));
        }
    }
}
