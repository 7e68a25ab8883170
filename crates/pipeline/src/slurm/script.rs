//! The script of a job.

use std::fmt::Write as _;

/// A job, or an array of tasks that are alike.
#[derive(Debug)]
pub(crate) struct Job<'a> {
    pub(crate) name: &'a str,
    /// The file for what it writes, as `sbatch --output` takes it.
    pub(crate) output: &'a str,
    /// How many tasks, and how many of them at the same time, at most.
    pub(crate) array: Option<(usize, Option<usize>)>,
    pub(crate) cpus: Option<usize>,
    /// Further options of `sbatch`, as they stand.
    pub(crate) options: &'a [String],
    /// Seconds of notice before the time limit; such a job may be sent back to the queue.
    pub(crate) notice: Option<usize>,
    /// Shell lines before the program.
    pub(crate) prologue: &'a str,
    /// The folder for the cache, for the node's shell to expand.
    pub(crate) scratch: &'a str,
    /// What is executed, each word as a shell reads it.
    pub(crate) words: Vec<String>,
}

impl Job<'_> {
    /// The script that `sbatch` takes.
    pub(crate) fn text(&self) -> String {
        let mut text = "#!/bin/bash\n".to_owned();
        let mut option = |line: String| {
            writeln!(text, "#SBATCH {line}").expect("a String takes everything");
        };
        option(format!("--job-name={}", self.name));
        if let Some((tasks, at_once)) = self.array {
            let throttle = at_once.map_or_else(String::new, |tasks| format!("%{tasks}"));
            option(format!("--array=0-{}{throttle}", tasks - 1));
        }
        option(format!("--output=\"{}\"", self.output));
        option("--open-mode=append".to_owned());
        if let Some(seconds) = self.notice {
            option(format!("--signal=B:USR1@{seconds}"));
            option("--requeue".to_owned());
        }
        if let Some(cpus) = self.cpus {
            option(format!("--cpus-per-task={cpus}"));
        }
        for line in self.options {
            option(line.clone());
        }
        if self.notice.is_some() {
            text += "# The notice before the time limit is for the program: until that runs it ends nothing.\n";
            text += "trap '' USR1\n";
        }
        if !self.prologue.trim().is_empty() {
            text += self.prologue.trim_end();
            text += "\n";
        }
        // Variables are filled in within quotes too. One that is not set would put the cache at the root.
        let scratch = self.scratch.replace('"', "\\\"");
        writeln!(text, "set -u\nscratch=\"{scratch}\"\nset +u").expect("a String takes everything");
        text += ": \"${scratch:?is empty on this node; see slurm.scratch in the site file}\"\n";
        writeln!(text, "exec {}", self.words.join(" ")).expect("a String takes everything");
        text
    }
}

/// A word that a shell reads as this text.
pub(crate) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_shell_reads_quoted_words_as_they_were() {
        for text in [
            "plain",
            "",
            "two words",
            "$HOME `x` \"y\"",
            "it's",
            "a\nb",
            "ä*?;&|",
        ] {
            let script = format!("printf %s {}", quoted(text));
            let output = Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), text);
        }
    }

    #[test]
    fn a_script_has_its_options_before_its_first_command() {
        let job = Job {
            name: "pipeline-x-1",
            output: "/logs/a b/%A_%a.log",
            array: Some((16, Some(4))),
            cpus: Some(2),
            options: &["--partition=gpu".to_owned()],
            notice: Some(300),
            prologue: "module load cuda\n",
            scratch: "${TMPDIR:-/tmp}",
            words: vec!["pipeline".to_owned(), "run".to_owned()],
        };
        insta::assert_snapshot!(job.text(), @r#"
        #!/bin/bash
        #SBATCH --job-name=pipeline-x-1
        #SBATCH --array=0-15%4
        #SBATCH --output="/logs/a b/%A_%a.log"
        #SBATCH --open-mode=append
        #SBATCH --signal=B:USR1@300
        #SBATCH --requeue
        #SBATCH --cpus-per-task=2
        #SBATCH --partition=gpu
        # The notice before the time limit is for the program: until that runs it ends nothing.
        trap '' USR1
        module load cuda
        set -u
        scratch="${TMPDIR:-/tmp}"
        set +u
        : "${scratch:?is empty on this node; see slurm.scratch in the site file}"
        exec pipeline run
        "#);
    }

    #[test]
    fn a_cache_lies_where_the_node_has_its_scratch_and_nowhere_where_it_has_none() {
        let run = |scratch| {
            let job = Job {
                name: "x",
                output: "x",
                array: None,
                cpus: None,
                options: &[],
                notice: None,
                prologue: "",
                scratch,
                words: ["echo", "\"$scratch\"/cache"].map(str::to_owned).to_vec(),
            };
            let mut bash = Command::new("bash");
            let output = bash.args(["-c", &job.text()]).env("DISK", "/a b").output();
            let output = output.unwrap();
            (
                output.status.success(),
                String::from_utf8(output.stdout).unwrap(),
            )
        };
        assert_eq!(run("$DISK/me"), (true, "/a b/me/cache\n".to_owned()));
        assert_eq!(run("${NO_DISK:-/x y}"), (true, "/x y/cache\n".to_owned()));
        assert_eq!(run("/a \"b\""), (true, "/a \"b\"/cache\n".to_owned()));
        for none in ["$NO_DISK/me", "$NO_DISK", "${NO_DISK:-}"] {
            assert_eq!(run(none), (false, String::new()), "{none}");
        }
    }
}
