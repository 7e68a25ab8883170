//! Every mistake that a study file can have, by its code.
//!
//! The code stands above the message and in `doc/errors.md`, which is made from this list. A message says what is wrong
//! in the file at hand; the text here says what is wrong with any such file, and what to do about it.

#![expect(
    clippy::doc_markdown,
    reason = "the texts make a page that names BatchNorm as papers do"
)]

use std::fmt::Write as _;

macro_rules! mistakes {
    ($($group:literal { $($mistake:ident $code:literal $meaning:literal $remedy:literal;)* })*) => {
        /// A kind of mistake.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Mistake {
            $($(#[doc = $meaning] $mistake,)*)*
        }

        impl Mistake {
            /// Its name, which stays.
            pub(crate) const fn code(self) -> &'static str {
                match self {
                    $($(Self::$mistake => $code,)*)*
                }
            }
        }

        /// Groups, each with the code, the meaning and the remedy of its mistakes.
        const GROUPS: &[(&str, &[[&str; 3]])] = &[$(($group, &[$([$code, $meaning, $remedy],)*]),)*];
    };
}

mistakes! {
    "The file" {
        CannotRead "cannot-read"
            "The file cannot be read."
            "Check the path and the permissions.";
        EmptyFile "empty-file"
            "There is nothing in the file."
            "Start with `study: NAME` and `stages:`, or let `pipeline init` write an example.";
        NotYaml "not-yaml"
            "The text is not YAML: the reader stopped at this place."
            "Check the indentation (spaces, no tabs), the `:` after each key, quotes and brackets.";
        UnquotedPlaceholder "unquoted-placeholder"
            "`{word}` without quotes is a mapping in YAML, not a text."
            "Put the whole text in quotes: `'{word}'`.";
        SeveralDocuments "several-documents"
            "The file holds more than one YAML document."
            "Write one file for each.";
        NestedTooDeep "nested-too-deep"
            "Lists and mappings are nested deeper than any study needs."
            "Check the brackets.";
        TooManyValues "too-many-values"
            "Aliases of aliases expand to more values than any study needs."
            "Use fewer aliases.";
        AliasInItself "alias-in-itself"
            "A YAML alias stands inside what it stands for."
            "Write the value out.";
        BadMerge "bad-merge"
            "`<<` merges mappings, and was given something else."
            "Give it a mapping, or a list of mappings.";
        YamlTag "yaml-tag"
            "YAML tags (`!name`) have no meaning in a study."
            "Remove the tag.";
        KeyNotAWord "key-not-a-word"
            "A list or a mapping stands where a key is expected."
            "Keys are words.";
        KeyTwice "key-twice"
            "A mapping has the same key twice."
            "Remove one.";
        CannotExtend "cannot-extend"
            "The file under `extends` or `include` cannot be used: it is not there, is the file itself, or has no stages."
            "The path is relative to the folder of the file that names it.";
    }
    "Keys and values" {
        UnknownKey "unknown-key"
            "This place takes no key of that name."
            "Compare the spelling with `doc/study-file.md`.";
        UnknownChoice "unknown-choice"
            "The word is not one of those that this setting takes."
            "Compare the spelling with `doc/study-file.md`.";
        MissingSetting "missing-setting"
            "A setting that has no default is not given."
            "Add it where the message points, or sweep over it where that is possible.";
        WrongValue "wrong-value"
            "The value is of another type, or outside the range that the setting takes."
            "The message says what is expected.";
        SetWithoutValue "set-without-value"
            "`--set` takes `PATH=VALUE`, and one of the two is not there."
            "Write, for example, `--set kfac.train.seed=1`; `null` removes a key.";
        SetNoStage "set-no-stage"
            "The path of `--set` does not begin with a stage."
            "Begin with the name of a stage, or with `*` for all.";
        SetNoSuchItem "set-no-such-item"
            "`--set` names an item of a list, or a key to remove, that is not there."
            "Items are counted from 0.";
    }
    "Stages" {
        NoStages "no-stages"
            "The study has no stage."
            "Add one under `stages`.";
        NoKind "no-kind"
            "The stage does not say what it is."
            "Give it one of `dataset`, `train`, `command`, `select`, `steps_to_target`, `heatmap`, `report`.";
        TwoKinds "two-kinds"
            "The stage is of two kinds."
            "Make two stages.";
        NoSuchStage "no-such-stage"
            "No stage of the study has this name."
            "Compare the spelling. A file among the inputs of a command is written `./NAME`.";
        WrongKind "wrong-kind"
            "The stage is not of the kind that is read here."
            "Name a stage of the kind that the message asks for.";
        NoCurves "no-curves"
            "Training runs are read here, and this command does not say where its curves are."
            "Name the file with them under `curves`.";
        NamedTwice "named-twice"
            "A list names the same stage twice."
            "Name it once.";
        LikeCircle "like-circle"
            "Stages are `like` each other in a circle."
            "One of them must say itself what it is.";
        StageCircle "stage-circle"
            "Stages read each other in a circle, so none can be first."
            "Remove one of the references.";
        SweepNotAllowed "sweep-not-allowed"
            "Only `train` and `command` stages can have a `sweep`."
            "Move it to the stage that this one reads.";
        TooManyRuns "too-many-runs"
            "The sweeps come to more than a million runs."
            "Sweep over fewer values.";
    }
    "Data sets" {
        WhereAreTheFiles "where-are-the-files"
            "What is said of the data set's files is not complete, or contradicts itself."
            "Give either `path`, or `url` with `sha256`; `digits` is built in and needs neither.";
        BadChecksums "bad-checksums"
            "There is not exactly one checksum for each file of the source."
            "`sha256sum FILE` prints the checksum of a file.";
        TooManyImages "too-many-images"
            "Training, validation and test part together have more images than the source."
            "Make a part smaller.";
        MissingPart "missing-part"
            "A metric is read on a part of the data that has no images."
            "Give the data set a number of images for that part.";
        MissingFile "missing-file"
            "A file that the study reads is not there. The study can be checked and planned without it."
            "Put it where the message says, or correct the path.";
    }
    "Training" {
        BatchTooLarge "batch-too-large"
            "A batch has more examples than the training set."
            "Use a smaller batch size or more training images.";
        NoBudget "no-budget"
            "At this batch size the adjusted budget is not above 0."
            "Set `adjusted_from_batch` to the smallest batch size.";
        BesideConfiguration "beside-configuration"
            "With `configuration` the winner decides this setting."
            "Remove the setting, or remove `configuration`.";
        SelectPer "select-per"
            "`configuration` needs one winner for each method and batch size."
            "Set `per: [method, batch_size]` in the `select` stage.";
        SelectOfCommands "select-of-commands"
            "`configuration` names a selection among runs of a `command`, which `train` cannot run."
            "Run the winner with a `command` stage.";
        SelectOfTwoDataSets "select-of-two-data-sets"
            "`configuration` names a selection among runs on different data sets, so it is not known which to train on."
            "Make one `select` stage for each data set.";
        TinyDamping "tiny-damping"
            "The damping is below the smallest normal number in single precision, so there is nearly none."
            "Use a damping above 1.2e-38.";
        WideFactor "wide-factor"
            "A layer is so wide that inverting its Kronecker factor takes most of the time of a run."
            "Use narrower layers, or a larger `inverse_every`.";
        LongDelay "long-delay"
            "The inverse of K-FAC's factors would act after the next one is due."
            "Set a `delay` of fewer steps than `inverse_every`.";
        BatchNormOfOne "batch-norm-of-one"
            "BatchNorm normalises over a single example, which loses most of what distinguishes it from others."
            "Use larger batches, another `ghost_batch`, or `last_batch: drop`.";
    }
    "Sweeps" {
        SweptTwice "swept-twice"
            "Two entries of a sweep set the same thing."
            "Remove one.";
        EmptySweep "empty-sweep"
            "A swept setting has no values."
            "Give at least one value, or remove the line.";
        ValueTwice "value-twice"
            "A swept setting has the same value twice."
            "Remove one. `0.1` and `1e-1` are the same value.";
        ValueNoWord "value-no-word"
            "Values of a sweep name runs and files, and this text cannot."
            "Use letters, digits, `_`, `-` and `.`.";
        PowersOfTwo "powers-of-two"
            "Doubling the first number of `powers_of_two` never gives the second."
            "Write, for example, `[16, 256]`.";
        ZipLengths "zip-lengths"
            "The settings of a `zip` have different numbers of values, or there are none."
            "Give each the same number of values.";
        ZipRowTwice "zip-row-twice"
            "Two rows of a `zip` have the same values."
            "Remove one.";
        PointsDiffer "points-differ"
            "The `points` of a sweep do not all give values for the same settings."
            "Give each point a value for the same settings.";
        PointTwice "point-twice"
            "The `points` of a sweep have the same point twice."
            "Remove one.";
        CannotBeSwept "cannot-be-swept"
            "This setting decides what kind of run it is, and cannot be swept."
            "Write one stage for each value, the second as `like: FIRST`.";
        NoSuchSetting "no-such-setting"
            "A swept setting is not one of the stage's."
            "Compare the spelling with `doc/study-file.md`.";
        NotSwept "not-swept"
            "A condition, or the axis of a heatmap, names a setting that is not swept."
            "Sweep over it, or name another.";
        NeverThatValue "never-that-value"
            "A condition names a value that the setting never takes."
            "Use one of the values that the message lists.";
        EmptyCondition "empty-condition"
            "A condition names no setting, so that it fits every combination."
            "Name swept settings, as in `{batch_size: 16}`.";
        ConditionWithoutEffect "condition-without-effect"
            "A condition leaves out no combination."
            "Check its values, or remove it.";
        NoRunLeft "no-run-left"
            "The conditions leave out every combination."
            "Remove or narrow a condition.";
    }
    "Commands" {
        BadFileName "bad-file-name"
            "An input or output has a name that cannot be used."
            "Use letters, digits, `-` and `_`; inputs also `.`, but not at the beginning.";
        PathLeavesFolder "path-leaves-folder"
            "The path does not stay in the working folder."
            "Give it relative to that folder, without `.` and `..`.";
        PathsMeet "paths-meet"
            "Two inputs or outputs are the same file, or one lies in the other."
            "Give each a path of its own.";
        NoSuchOutput "no-such-output"
            "The stage has no such output, or several and none is named."
            "Name one as `STAGE.OUTPUT`.";
        NoRunToRead "no-run-to-read"
            "A run of this command has no run of the other stage with the same values."
            "Sweep both over the same values, or give the setting another name in one of them.";
        CannotStandInBraces "cannot-stand-in-braces"
            "The name of a swept setting cannot be written as `{NAME}`."
            "Use letters, digits and `_`, not beginning with a digit.";
        NoSuchPlaceholder "no-such-placeholder"
            "Nothing has the name that stands in `{…}`."
            "Compare the spelling; `{{NAME}}` gives the program `{NAME}` as it is.";
        SweptInVain "swept-in-vain"
            "A setting is swept, and the program is never told its value: its runs would all be the same."
            "Write `{NAME}` in an argument or in `environment`.";
        BadVariableName "bad-variable-name"
            "This is not a name for an environment variable."
            "Use letters, digits and `_`, not beginning with a digit.";
        SecretInStudy "secret-in-study"
            "The name of the variable says that its value is secret. The value would be kept in the cache."
            "Write `{ from_env: NAME }` to take it from the environment of `pipeline`.";
        CurvesWithoutSettings "curves-without-settings"
            "`curves` and `settings` belong together, and one of them is not there."
            "Add the other.";
        ColumnName "column-name"
            "A swept setting has the name of a column of curves, so that exports would have two columns of one name."
            "Give the setting another name.";
        BudgetNotSwept "budget-not-swept"
            "`epochs` or `iterations` is swept, which changes what the program is told, but not the budget of the run."
            "Write one stage for each budget, the second as `like: FIRST` with its own `settings.budget`.";
        BadCurveSetting "bad-curve-setting"
            "A setting that every run has (`batch_size`, `learning_rate`, `seed`, `method`, `model`) has a value of another type."
            "The message says what is expected.";
        CountedFrom "counted-from"
            "`counted_from` is what the file calls the first step or epoch: 0 or 1."
            "Use one of the two.";
        TokensPerExample "tokens-per-example"
            "The file counts tokens, and the number of tokens in an example is not known."
            "Add `tokens_per_example`.";
    }
    "Reading runs" {
        NotReached "not-reached"
            "No run trains as long as the moment that is read here."
            "Raise the budget, or read earlier.";
        CutsSchedule "cuts-schedule"
            "A run whose learning rate falls is read before its end, where it says nothing of a shorter budget."
            "Add a stage with the shorter budget, or keep the schedule constant.";
        NotEvaluated "not-evaluated"
            "The runs are not evaluated at the moment that is read here."
            "Add it to `evaluation` of their stage.";
        MayStopBefore "may-stop-before"
            "The runs may stop before the moment that is read here."
            "Set `stop: {not_before: …}`, or remove `stop`.";
        StopsBeforeLevel "stops-before-level"
            "The runs may stop before they reach this target."
            "Add the target to `stop`, or remove `stop`.";
        NoSuchGroup "no-such-group"
            "`per` names something that the runs do not have."
            "Use `method`, `batch_size`, `stage` or a swept setting.";
        NoTarget "no-target"
            "There is no target to count steps to."
            "Give levels of a metric, such as `train_loss: [0.1]`.";
        NoSuchMethod "no-such-method"
            "An axis or a claim names a method that no run has."
            "Remove it, or compare the spelling.";
        AxisMissing "axis-missing"
            "An axis is not given for a method that some runs have."
            "Add `METHOD: SETTING`.";
        AxisNotNumbers "axis-not-numbers"
            "A setting along an axis has values that are not numbers."
            "Write one heatmap for each word.";
        ClaimTwice "claim-twice"
            "The same claim is listed twice."
            "Remove one.";
    }
}

/// The page of all mistakes that a study file can have, in Markdown.
pub fn markdown() -> String {
    let mut page = String::from(
        "# What can go wrong\n\n\
         `pipeline check` shows every mistake of a study at once, each with its code, its place and what to do. The \
         list of the codes comes first, then the [other errors](#other-errors). Both are made from the program; tests \
         keep them complete.\n\n## Mistakes in a study file\n",
    );
    for (group, mistakes) in GROUPS {
        page += "\n### ";
        page += group;
        page += "\n\n| code | what is wrong | what to do |\n| --- | --- | --- |\n";
        for [code, meaning, remedy] in *mistakes {
            let _ = writeln!(
                page,
                "| <a id=\"{code}\"></a>`{code}` | {meaning} | {remedy} |"
            );
        }
    }
    page
}
