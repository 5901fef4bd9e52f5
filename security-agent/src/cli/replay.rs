//! `security-agent start --replay`: the signals of a capture.
//!
//! Nothing is read but the capture, the configuration and the policies, so that the signals are those of the machine that
//! was captured. Without a configured output they go to standard output. Privileges are not given up: whoever replays a
//! capture does so as themselves, and the process ends with the capture.

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use settings::AgentSettings;

use super::start::{outputs, pipeline_config, style};
use crate::agent::load_options;
use crate::host;
use crate::pipeline::Pipeline;
use crate::policies::load_directory;
use crate::report::sink::{Output, Stdout};
use crate::report::terminal::Style;
use crate::resolve::users::{Names, Users};
use crate::stream::capture::{Content, Reader};

pub(super) fn run(path: &Path, settings: &AgentSettings) -> anyhow::Result<ExitCode> {
    let context = || format!("cannot replay {}", path.display());
    let mut capture = Reader::open(path).with_context(context)?;
    let mut outputs = outputs(settings)?;
    let mut style = style(settings);
    if outputs.is_empty() {
        outputs.push(("stdout".to_owned(), Box::new(Stdout::default())));
        style = std::io::stdout().is_terminal().then_some(Style { colour: true });
    }
    let facts = capture.header().facts();
    let config = pipeline_config(settings, host::agent_info(&facts, &settings.host), style);
    let config = crate::pipeline::Config { hostname: capture.header().hostname.clone(), ..config };
    let mut pipeline = Pipeline::new(config, Users::fixed(Names::default(), Names::default()));
    let load = load_directory(&settings.policies.dir, &load_options(facts, settings));
    // The capture says when it was; until then there is no time.
    pipeline.replace_rules(load, 0);
    let mut outputs: Vec<Box<dyn Output>> = outputs.into_iter().map(|(_, output)| output).collect();
    let replayed = replay(&mut capture, &mut pipeline, &mut outputs);
    pipeline.release_all();
    pipeline.tell_all_losses(pipeline.wall_now());
    deliver(&mut pipeline, &mut outputs)?;
    replayed.with_context(context)?;
    Ok(ExitCode::SUCCESS)
}

/// Feeds a pipeline with a capture.
fn replay(
    capture: &mut Reader<std::fs::File>,
    pipeline: &mut Pipeline,
    outputs: &mut [Box<dyn Output>],
) -> anyhow::Result<()> {
    for content in capture {
        match content? {
            Content::Header(_) => {}
            Content::Connected(hello) => pipeline.connected(&hello),
            Content::Names(names) => pipeline.replace_users(names.to_users()),
            Content::Batch(batch) => pipeline.batch(&batch),
            Content::Disconnected(_) => pipeline.disconnected(),
            Content::Container(answer) => {
                pipeline.container_answered(&answer.id, answer.reply.unwrap_or_default());
            }
        }
        deliver(pipeline, outputs)?;
    }
    Ok(())
}

fn deliver(pipeline: &mut Pipeline, outputs: &mut [Box<dyn Output>]) -> anyhow::Result<()> {
    for report in pipeline.take_reports() {
        for output in &mut *outputs {
            output.write(&report).context("cannot write a signal")?;
        }
    }
    Ok(())
}
