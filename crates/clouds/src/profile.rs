//! The files in which the tools of AWS keep credentials: `~/.aws/credentials` and `~/.aws/config`, a section a profile.
//! The crate of the stores reads the environment and asks the machine, and knows no files.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Why there is no profile.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoProfile {
    /// Neither file has the one that is asked for.
    #[error(
        "AWS_PROFILE is `{0}`, and neither ~/.aws/config nor ~/.aws/credentials has that profile"
    )]
    Absent(String),
}

/// What the profile that holds says: `AWS_PROFILE`, else `default`, which need not be there. The former neither, where
/// the environment has keys.
pub(crate) fn settings() -> Result<BTreeMap<String, String>, NoProfile> {
    let read = |variable: &str, name: &str| {
        let home = || {
            Some(
                PathBuf::from(std::env::var_os("HOME")?)
                    .join(".aws")
                    .join(name),
            )
        };
        let path = std::env::var_os(variable).map(PathBuf::from).or_else(home);
        path.and_then(|path| std::fs::read_to_string(path).ok())
            .unwrap_or_default()
    };
    let config = read("AWS_CONFIG_FILE", "config");
    let credentials = read("AWS_SHARED_CREDENTIALS_FILE", "credentials");
    let asked = std::env::var("AWS_PROFILE").unwrap_or_default();
    let settings = profile(&asked, &config, &credentials);
    match settings {
        Err(_) if std::env::var_os("AWS_ACCESS_KEY_ID").is_some() => Ok(BTreeMap::new()),
        settings => settings,
    }
}

/// The settings of a profile; of `default`, if none is asked for.
fn profile(
    asked: &str,
    config: &str,
    credentials: &str,
) -> Result<BTreeMap<String, String>, NoProfile> {
    let name = if asked.is_empty() { "default" } else { asked };
    let config = section(config, &[name, &format!("profile {name}")]);
    let credentials = section(credentials, &[name]);
    if config.is_none() && credentials.is_none() && !asked.is_empty() {
        return Err(NoProfile::Absent(asked.to_owned()));
    }
    Ok([config, credentials]
        .into_iter()
        .flatten()
        .flatten()
        .collect())
}

/// The settings of the section of one of these names, if there is one.
fn section(text: &str, names: &[&str]) -> Option<BTreeMap<String, String>> {
    let (mut within, mut found, mut settings) = (false, false, BTreeMap::new());
    for line in text.lines() {
        // Indented lines belong to a setting with parts, of which none is of use here.
        if line.starts_with([' ', '\t', '#', ';']) {
            continue;
        }
        if let Some(name) = line.trim().strip_prefix('[') {
            let name = name.trim_end_matches(']').trim();
            within = names.contains(&name);
            found |= within;
        } else if let Some((name, value)) = line.split_once('=').filter(|_| within) {
            settings.insert(name.trim().to_lowercase(), value.trim().to_owned());
        }
    }
    found.then_some(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_that_is_asked_for_must_be_in_one_of_the_files() {
        let (config, credentials) = ("[profile lab]\nregion = eu-1\n", "[keys]\nkey = k\n");
        let of = |asked: &str| profile(asked, config, credentials);
        assert_eq!(of("lab").unwrap()["region"], "eu-1");
        assert_eq!(of("keys").unwrap()["key"], "k");
        assert!(of("").unwrap().is_empty());
        let said = of("lob").unwrap_err().to_string();
        assert!(
            said.starts_with("AWS_PROFILE is `lob`, and neither "),
            "{said}"
        );
    }

    #[test]
    fn a_profile_is_the_section_of_its_name() {
        let text = "[default]\nregion = eu-1\ns3 =\n  endpoint_url = no\n[profile lab]\n# not so\nregion=us-2\n\
                    endpoint_url = http://store:9000/\n[other]\nregion = x\n";
        let of = |names: &[&str]| section(text, names).expect("it is there");
        assert_eq!(of(&["default"])["region"], "eu-1");
        assert!(!of(&["default"]).contains_key("endpoint_url"));
        let lab = of(&["lab", "profile lab"]);
        assert_eq!(lab["region"], "us-2");
        assert_eq!(lab["endpoint_url"], "http://store:9000/");
        assert!(section(text, &["none"]).is_none());
    }
}
