//! Sections, figures and tables as HTML.

use maud::{Markup, html};

use crate::document::{Block, Entry, Figure, List, Maps, Numbers, Part, Section, Table};
use crate::draw::number::fixed;
use crate::embedded::Embedded;
use crate::words;

/// What a rendering needs to know beside the value.
pub(crate) struct Html<'p> {
    pub(crate) numbers: &'p Numbers,
    /// The data of figures and tables as the page holds them.
    pub(crate) data: &'p Embedded,
}

impl Html<'_> {
    pub(crate) fn section(&self, section: &Section) -> Markup {
        let heading = format!("{}-heading", section.id);
        html! {
            section id=(section.id) aria-labelledby=(heading) {
                h2 id=(heading) { (section.heading) }
                (self.blocks(&section.blocks))
            }
        }
    }

    fn blocks(&self, blocks: &[Block]) -> Markup {
        html! {
            @for block in blocks {
                @match block {
                    Block::Text(text) => { (text) }
                    Block::Figure(figure) => { (self.figure(figure)) }
                    Block::Table(table) => { (self.table(table)) }
                    Block::List(list) => { (self.list(list)) }
                    Block::Closed { class, summary, blocks } => {
                        details class=[*class] { summary { (summary) } (self.blocks(blocks)) }
                    }
                }
            }
        }
    }

    fn figure(&self, figure: &Figure) -> Markup {
        let id = &figure.data.name;
        html! {
            figure id=(id) {
                @for part in &figure.parts { (self::part(part)) }
                figcaption { (anchor(id, self.numbers.number(id))) " " (figure.caption) }
                (self.data.block(id))
            }
        }
    }

    fn table(&self, table: &Table) -> Markup {
        let id = &table.data.name;
        let caption = format!("{id}-caption");
        html! {
            figure.table id=(id) {
                figcaption id=(caption) { (anchor(id, self.numbers.number(id))) " " (table.caption) }
                div.scroll tabindex="0" role="region" aria-labelledby=(caption) {
                    table class=(table.class) aria-labelledby=(caption) {
                        thead { tr {
                            @for (name, number) in &table.head {
                                th scope="col" class=(if *number { "number" } else { "text" }) { (words::symbol(name)) }
                            }
                        } }
                        tbody { (table.rows) }
                    }
                }
                (self.data.block(id))
            }
        }
    }

    fn list(&self, list: &List) -> Markup {
        let id = &list.data.name;
        html! {
            figure.table.list id=(id) {
                figcaption { (anchor(id, list.title)) " " (list.caption) }
                (self.data.block(id))
            }
        }
    }
}

fn anchor(id: &str, name: &str) -> Markup {
    html! { b { a.anchor href={ "#" (id) } { (name) "." } } }
}

fn part(part: &Part) -> Markup {
    match part {
        Part::Legend(entries) => legend(entries),
        Part::Scale(drawing) => html! { div.scroll { (drawing.svg()) } },
        Part::Panels { pick, drawings } => {
            let class = match drawings.len() {
                0 | 1 => "panels one",
                2 | 4 => "panels two",
                _ => "panels",
            };
            html! { div class=(class) data-pick=[*pick] { @for drawing in drawings { (drawing.svg()) } } }
        }
        Part::Maps(maps) => self::maps(maps),
    }
}

fn legend(entries: &[Entry]) -> Markup {
    html! {
        ul.legend {
            @for entry in entries {
                li {
                    svg viewBox="0 0 34 14" width="34" height="14" aria-hidden="true" { (entry.drawing) }
                    span { (words::name(&entry.label)) }
                }
            }
        }
    }
}

fn maps(maps: &Maps) -> Markup {
    let style = format!(
        "grid-template-columns:repeat({},max-content);--print-zoom:{}",
        maps.columns,
        fixed((680.0 / maps.width).min(1.0), 2)
    );
    html! {
        div.scroll tabindex="0" role="region" aria-label=(maps.label) {
            div.maps.fit-print style=(style) {
                @for (method, stage, row) in &maps.rows {
                    p.method {
                        (words::name(method))
                        @if let Some(stage) = stage { span.quiet { " (" (words::name(stage)) ")" } }
                    }
                    @for drawing in row { div { (drawing.svg()) } }
                    // The next row starts on its own.
                    @if row.len() < maps.columns {
                        div style={ "grid-column:span " (maps.columns - row.len()) } {}
                    }
                }
            }
        }
    }
}
