//! The drawings' style for files: without custom properties, which few programs but browsers know. In the
//! light colours of the page, whose style it is made of.

/// The rules of `style` with each custom property replaced: by its fallback, and `--c` by the colour of
/// every class that sets it (`.m0{--c:#0072b2}`) and that `drawing` uses.
pub(crate) fn plain(style: &str, drawing: &str) -> String {
    let rules: Vec<(&str, &str)> = style
        .split('}')
        .filter_map(|rule| rule.split_once('{'))
        .map(|(selectors, says)| (selectors.trim(), says.trim()))
        .collect();
    let colours: Vec<(&str, String)> = rules
        .iter()
        .filter_map(|(selector, says)| {
            let colour = fallback(says.strip_prefix("--c:")?.trim_end_matches(';').trim());
            let class = selector.rsplit('.').next()?;
            is_used(class, drawing).then_some((class, colour))
        })
        .collect();
    let mut out = String::new();
    for (selectors, says) in rules {
        let says = fallback(says);
        if says.starts_with("--c:") {
            continue;
        }
        if !says.contains("var(--c)") {
            out.extend([selectors, "{", &says, "}"]);
            continue;
        }
        for (class, colour) in &colours {
            let all: Vec<String> = selectors
                .split(',')
                .map(|selector| selector.trim().trim_start_matches("svg "))
                .map(|own| format!(".{class} {own},.{class}{own}"))
                .collect();
            out.extend([
                all.join(","),
                "{".into(),
                says.replace("var(--c)", colour),
                "}".into(),
            ]);
        }
    }
    out
}

/// Is the class one of some element's?
fn is_used(class: &str, drawing: &str) -> bool {
    drawing.split("class=\"").skip(1).any(|rest| {
        let classes = rest.split('"').next().unwrap_or_default();
        classes.split(' ').any(|one| one == class)
    })
}

/// Each `var(--name, value)` as its value; `var(--c)` has none and stays.
fn fallback(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("var(--") {
        let (inside, behind) = after.split_once(')').unwrap_or((after, ""));
        out += before;
        match inside.split_once(',') {
            Some((_, value)) => out += value.trim(),
            None => out.extend(["var(--", inside, ")"]),
        }
        rest = behind;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn every_class_in_use_gets_its_colour_and_no_property_is_left() {
        let style = "svg .axis { stroke: var(--quiet, #59616b); fill: none; }\n\
                     svg .line, svg .bar { stroke: var(--c); }\n\
                     svg .neutral { --c: var(--quiet, #59616b); }\n.m0{--c:#0072b2}.m1{--c:#d55e00}";
        let drawing = "<g class=\"m0\"/><g class=\"big neutral\"/><text>m1</text>";
        assert_eq!(
            plain(style, drawing),
            "svg .axis{stroke: #59616b; fill: none;}\
             .neutral .line,.neutral.line,.neutral .bar,.neutral.bar{stroke: #59616b;}\
             .m0 .line,.m0.line,.m0 .bar,.m0.bar{stroke: #0072b2;}"
        );
    }
}
