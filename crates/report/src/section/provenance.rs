//! Provenance: the one section that may differ between two runs to the same
//! tables.

use maud::{Markup, html};

use crate::document::{Block, Section};
use crate::draw::number::{count, duration, grouped, significant};
use crate::figure::{stage_graph, time};
use crate::provenance::{Provenance, Share, StageKeys, TrainingTime};
use crate::study::Study;
use crate::words;

/// The section.
pub(crate) fn section(study: &Study<'_>, provenance: &Provenance) -> Section {
    let mut blocks: Vec<Block> = vec![facts(provenance).into()];
    if !provenance.training.is_empty() {
        blocks.push(training(&provenance.training).into());
        blocks.extend(time::figures(study, &provenance.training));
    }
    blocks.push(stages(provenance).into());
    Section {
        id: "provenance",
        name: "Provenance",
        heading: "Provenance",
        blocks,
    }
}

fn facts(provenance: &Provenance) -> Markup {
    let counts = provenance.stages;
    html! {
        dl.facts {
            dt { "Program" }
            dd {
                "pipeline " (words::name(&provenance.version))
                @if let Some(commit) = &provenance.commit { ", commit " code { (words::name(commit)) } }
            }
            dt { "Command" } dd { code { (words::name(&provenance.command)) } }
            dt { "Machines" } dd { (shares(&provenance.machines)) }
            dt { "Devices" }
            dd {
                (shares(&provenance.devices))
                @if provenance.devices.len() > 1 {
                    p.warn { "Results of different devices are mixed on this page." }
                }
            }
            @if let Some(threads) = provenance.threads { dt { "Threads a job" } dd { (threads) } }
            @if let Some(jobs) = provenance.jobs { dt { "Jobs at a time" } dd { (jobs) } }
            dt { "Started" } dd { (words::name(&provenance.started)) }
            dt { "Finished" }
            dd { (words::name(&provenance.finished)) ", after " (duration(provenance.elapsed_seconds)) }
            dt { "Computing" }
            dd { (duration(provenance.compute_seconds)) " in all stages behind this page, cached stages included" }
            dt { "Stages" }
            dd { (counts.ran) " ran, " (counts.cached) " from the cache, " (counts.failed) " failed" }
            @for data in &provenance.data {
                dt { "Data set " (words::name(&data.name)) } dd.key { (words::name(&data.digest)) }
            }
        }
    }
}

fn stages(provenance: &Provenance) -> Markup {
    html! {
        @if !provenance.graph.nodes.is_empty() {
            h3 { "Stages" }
            div.scroll tabindex="0" role="region" aria-label="Graph of the stages" {
                (stage_graph::drawing(&provenance.graph).svg())
            }
        }
        @if !provenance.slowest.is_empty() {
            h3 { "Slowest stages" }
            div.scroll tabindex="0" role="region" aria-label="Slowest stages" {
                table {
                    thead { tr { th scope="col" { "Stage" } th.number scope="col" { "Time" } } }
                    tbody {
                        @for stage in &provenance.slowest {
                            tr {
                                th scope="row" { (words::name(&stage.stage)) }
                                td.number { (duration(stage.seconds)) }
                            }
                        }
                    }
                }
            }
        }
        @if !provenance.study_text.is_empty() {
            h3 { "Study file " (words::name(&provenance.study_file)) }
            pre tabindex="0" { code { (provenance.study_text) } }
        }
        @if let Some(site) = &provenance.site {
            h3 { "Site file " (words::name(&site.path)) }
            pre tabindex="0" { code { (site.text) } }
        }
        @if !provenance.keys.is_empty() {
            div.on-screen {
                h3 { "Cache keys" }
                @for stage in &provenance.keys { (keys(stage)) }
            }
        }
    }
}

/// More keys than these are counted only: so many digests would be most of the page.
const LISTED_KEYS: usize = 512;

fn keys(stage: &StageKeys) -> Markup {
    let name = html! {
        (words::name(&stage.stage)) " (" (words::name(&stage.kind)) "), " (count(stage.keys.len(), "key"))
    };
    html! {
        @if stage.keys.len() > LISTED_KEYS {
            p.note { (name) "; " code { "pipeline explain" } " names each" }
        } @else {
            details.data {
                summary { (name) }
                pre tabindex="0" { @for key in &stage.keys { (key) "\n" } }
            }
        }
    }
}

fn shares(shares: &[Share]) -> Markup {
    html! {
        @if shares.is_empty() { "not recorded" }
        @for (index, share) in shares.iter().enumerate() {
            @if index > 0 { "; " }
            (words::name(&share.name)) " (" (count(share.stages, "stage")) ")"
        }
    }
}

/// Wall-clock beside steps.
fn training(times: &[TrainingTime]) -> Markup {
    html! {
        h3 { "Wall-clock time beside steps" }
        p.note {
            "Recorded while each run was trained, evaluations included. Times depend on what else ran on the \
             machine, so they show the order of magnitude and are no benchmark."
        }
        div.scroll tabindex="0" role="region" aria-label="Wall-clock time beside steps" {
            table {
                thead { tr {
                    th scope="col" { "Method" } th.number scope="col" { "Batch" }
                    th.number scope="col" { "Runs" } th.number scope="col" { "Steps" }
                    th.number scope="col" { "Time" } th.number scope="col" { "ms per step" }
                    th.number scope="col" { "µs per example" }
                } }
                tbody {
                    @for row in times {
                        @let per_step = row.seconds / row.steps as f64;
                        tr {
                            th scope="row" { (words::name(&words::method(&row.method))) }
                            td.number { (row.batch_size) }
                            td.number { (row.runs) }
                            td.number { (grouped(row.steps)) }
                            td.number { (duration(row.seconds)) }
                            td.number { (significant(per_step * 1e3, 3)) }
                            td.number { (significant(per_step * 1e6 / row.batch_size as f64, 3)) }
                        }
                    }
                }
            }
        }
    }
}
