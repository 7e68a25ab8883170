//! The page as a whole: its sections in order, and what it is rendered as.

use analysis::report::ReportTable;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::document::{Item, Numbers, References, Section, items};
use crate::draw::colour::in_the_dark;
use crate::embedded::{self, Embedded};
use crate::html::Html;
use crate::provenance::Provenance;
use crate::section::changes::{self, Earlier};
use crate::section::{
    claims, curves, heatmaps, provenance as provenance_section, runs, scaling, settings, summary,
    winners,
};
use crate::sheet;
use crate::so_far::{self, SoFar};
use crate::study::Study;
use crate::words;

const STYLE: &str = include_str!("style.css");
/// One scope of its own, in strict mode, from the files of `script/` in the order in which they build on
/// each other.
const SCRIPT: &str = concat!(
    "'use strict';(async()=>{\n",
    include_str!("script/base.js"),
    include_str!("script/tip.js"),
    include_str!("script/download.js"),
    include_str!("script/frames.js"),
    include_str!("script/sketch.js"),
    include_str!("script/heatmap.js"),
    include_str!("script/targets.js"),
    include_str!("script/list.js"),
    "follow();addEventListener('hashchange',follow);hints();document.body.dataset.ready='';\n})();",
);

/// A page: a list of sections of texts, figures and tables, to be rendered as HTML and as files.
pub struct Page {
    /// On the page of a study that is not done: its title in a tab, and the bar.
    so_far: Option<(String, Markup)>,
    title: String,
    lead: Markup,
    sections: Vec<Section>,
    /// The colours of batch sizes, on paper and in the dark.
    colours: Vec<(String, String)>,
}

/// A file to lie beside a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// The id of a figure or table of the page, and `.svg` or `.csv`.
    pub name: String,
    /// What it holds.
    pub text: String,
}

impl Page {
    /// The page of a report; `earlier`: with what changed since that one. Equal arguments give equal pages.
    ///
    /// # Panics
    /// When a value of the table is where a drawing needs a finite number and is
    /// not finite; tables read back from JSON have none.
    pub fn new(table: &ReportTable, provenance: &Provenance, earlier: Option<&Earlier>) -> Self {
        Self::of(&Study::new(table), provenance, earlier)
    }

    /// The page of a study of which `table` is what there is. It says so, has no verdicts, and loads itself anew.
    ///
    /// # Panics
    /// As [`new`](Self::new).
    pub fn so_far(table: &ReportTable, provenance: &Provenance, so_far: &SoFar) -> Self {
        Self::of(&Study::new(table).so_far(Some(so_far)), provenance, None)
    }

    fn of(study: &Study<'_>, provenance: &Provenance, earlier: Option<&Earlier>) -> Self {
        let mut shown = vec![
            scaling::section(study),
            curves::section(study),
            heatmaps::section(study),
            winners::section(study),
            runs::section(study),
            settings::section(study),
        ];
        // A page so far has no verdicts.
        let effects = match study.so_far {
            None => claims::effects(study),
            Some(_) => Vec::new(),
        };
        let before = effects.iter().flatten().count();
        let references = References::to(&shown, before);
        let mut sections = vec![claims::section(study, &references, effects)];
        sections
            .extend(earlier.map(|earlier| changes::section(study, earlier, &provenance.devices)));
        sections.append(&mut shown);
        sections.push(provenance_section::section(study, provenance));
        let title = if study.table.title.trim().is_empty() {
            "Training study"
        } else {
            &study.table.title
        };
        let batches = study.batches().iter();
        let so_far = study
            .so_far
            .map(|so_far| (so_far.title(title), so_far.bar()));
        Page {
            so_far,
            title: title.to_owned(),
            lead: summary::paragraph(study),
            sections,
            colours: batches.map(|batch| study.batch_colour(*batch)).collect(),
        }
    }

    /// As one HTML file, which loads nothing. Equal pages give equal bytes.
    pub fn html(&self) -> String {
        let numbers = Numbers::of(&self.sections);
        let data = Embedded::of(&items(&self.sections));
        let html = Html {
            numbers: &numbers,
            data: &data,
        };
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                (self.head())
                body {
                    p.unstyled {
                        b { "The styles of this page are blocked" }
                        " where it is shown, by a Content-Security-Policy that is not its own; its scripts may be, too. Texts, \
                        numbers and drawings are right, their layout is not. Saved and opened from disk, the page is whole."
                    }
                    a.skip href="#main" { "Skip to the findings" }
                    header {
                        h1 { (words::name(&self.title)) }
                        @if let Some((_, bar)) = &self.so_far { (bar) }
                        (self.lead)
                        nav aria-label="Sections" {
                            ul { @for section in &self.sections { li { a href={ "#" (section.id) } { (section.name) } } } }
                        }
                    }
                    main #main { @for section in &self.sections { (html.section(section)) } }
                    script { (PreEscaped(SCRIPT)) }
                    @if self.so_far.is_some() { (SoFar::script()) }
                }
            }
        };
        page.into_string()
    }

    /// Its figures as SVG files and the data of its figures and tables as CSV files, in the page's order.
    pub fn files(&self) -> Vec<File> {
        let mut files = Vec::new();
        for item in items(&self.sections) {
            let id = &item.data().name;
            if let Item::Figure(figure) = item {
                files.push(File {
                    name: format!("{id}.svg"),
                    text: sheet::svg(figure),
                });
            }
            files.push(File {
                name: format!("{id}.csv"),
                text: embedded::csv(item.data()),
            });
        }
        files
    }

    fn head(&self) -> Markup {
        html! {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                // Whatever a name on the page may contain, nothing is loaded.
                meta http-equiv="Content-Security-Policy"
                    content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'";
                title { (self.so_far.as_ref().map_or(&self.title, |(title, _)| title)) }
                style {
                    (PreEscaped(STYLE))
                    @if self.so_far.is_some() { (PreEscaped(so_far::STYLE)) }
                    "@media screen and (prefers-color-scheme:dark){" (PreEscaped(in_the_dark(&self.colours))) "}"
                }
            }
        }
    }
}
