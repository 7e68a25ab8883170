//! The files in which the tools of AWS keep credentials: `~/.aws/credentials` and `~/.aws/config`, a section a profile.
//! The crate of the stores reads the environment and asks the machine, and knows no files.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// What the profile that holds says: `AWS_PROFILE`, else `default`. Nothing where there are no files.
pub(crate) fn settings() -> BTreeMap<String, String> {
    let profile = std::env::var("AWS_PROFILE").unwrap_or_else(|_| "default".to_owned());
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
    let mut settings = section(&config, &[&profile, &format!("profile {profile}")]);
    settings.extend(section(&credentials, &[&profile]));
    settings
}

/// The settings of the section of one of these names.
fn section(text: &str, names: &[&str]) -> BTreeMap<String, String> {
    let (mut within, mut settings) = (false, BTreeMap::new());
    for line in text.lines() {
        // Indented lines belong to a setting with parts, of which none is of use here.
        if line.starts_with([' ', '\t', '#', ';']) {
            continue;
        }
        if let Some(name) = line.trim().strip_prefix('[') {
            let name = name.trim_end_matches(']').trim();
            within = names.contains(&name);
        } else if let Some((name, value)) = line.split_once('=').filter(|_| within) {
            settings.insert(name.trim().to_lowercase(), value.trim().to_owned());
        }
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_the_section_of_its_name() {
        let text = "[default]\nregion = eu-1\ns3 =\n  endpoint_url = no\n[profile lab]\n# not so\nregion=us-2\n\
                    endpoint_url = http://store:9000/\n[other]\nregion = x\n";
        let of = |names: &[&str]| section(text, names);
        assert_eq!(of(&["default"])["region"], "eu-1");
        assert!(!of(&["default"]).contains_key("endpoint_url"));
        let lab = of(&["lab", "profile lab"]);
        assert_eq!(lab["region"], "us-2");
        assert_eq!(lab["endpoint_url"], "http://store:9000/");
        assert!(of(&["none"]).is_empty());
    }
}
