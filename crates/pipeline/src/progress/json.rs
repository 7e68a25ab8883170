//! One JSON object a line, for programs.

use engine::{Event, Graph, StageId};
use serde_json::Value;

use super::Renderer;

pub(crate) struct Json<'a> {
    pub(crate) graph: &'a Graph,
}

impl Renderer for Json<'_> {
    fn event(&mut self, event: &Event) {
        let mut line = serde_json::to_value(event).expect("an event is JSON");
        // Positions in the graph mean nothing outside: names stand in their place.
        for field in ["stage", "because"] {
            if let Some(value) = line.get_mut(field)
                && let Ok(id) = serde_json::from_value::<StageId>(value.clone())
            {
                *value = Value::from(self.graph.stage(id).name.as_str());
            }
        }
        errln!("{line}");
    }
}
