//! Manual pages and completions of shells, made from the command lines that the programs parse.
//!
//! Nothing of this is in the programs themselves: the pages are committed below `packaging/`, compared with the code by
//! this package's test, and rewritten by `UPDATE_GENERATED=1 cargo test -p cli-docs`.
#![forbid(unsafe_code)]

use std::io;

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;

/// Section of the manual for the programs of an administrator.
const SECTION: &str = "8";

/// Shells that have completions.
pub const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

/// Name of the file that a shell looks for when it completes `program`.
#[must_use]
pub fn completion_file(program: &str, shell: Shell) -> String {
    match shell {
        Shell::Zsh => format!("_{program}"),
        Shell::Fish => format!("{program}.fish"),
        _ => format!("{program}.bash"),
    }
}

/// The manual page of a program: what it is, its own options, then each of its commands, and `more`, roff text.
///
/// # Errors
/// None, as it is written to memory.
pub fn page(command: &Command, more: &str) -> io::Result<String> {
    let mut command = command.clone();
    command.build();
    let mut out = Vec::new();
    let man =
        Man::new(command.clone()).section(SECTION).manual("System administration").source(command.get_name());
    man.render_title(&mut out)?;
    man.render_name_section(&mut out)?;
    man.render_synopsis_section(&mut out)?;
    man.render_description_section(&mut out)?;
    man.render_options_section(&mut out)?;
    out.extend_from_slice(b".SH COMMANDS\n");
    for subcommand in visible(&command) {
        describe(subcommand, command.get_name(), &mut out)?;
    }
    out.extend_from_slice(more.as_bytes());
    let text = String::from_utf8(out).map_err(io::Error::other)?;
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    Ok(lines.join("\n") + "\n")
}

/// A command below the program, and those below it.
fn describe(command: &Command, parent: &str, out: &mut Vec<u8>) -> io::Result<()> {
    let name = format!("{parent} {}", command.get_name());
    let mut below = visible(command).peekable();
    if below.peek().is_some() {
        return below.try_for_each(|subcommand| describe(subcommand, &name, out));
    }
    out.extend_from_slice(format!(".SS \"{name}\"\n").as_bytes());
    // Every command has the options of the program; they are described once, above.
    let own = command.clone().bin_name(name).mut_args(|argument| {
        let is_known = argument.is_global_set() || argument.get_id() == "help";
        if is_known { argument.hide(true) } else { argument }
    });
    let man = Man::new(own);
    let mut section = Vec::new();
    man.render_description_section(&mut section)?;
    man.render_options_section(&mut section)?;
    // Headings of sections would end this one; the options stand indented instead.
    let text = String::from_utf8(section).map_err(io::Error::other)?;
    let lines = text
        .lines()
        .filter(|line| !line.starts_with(".SH") && !line.starts_with(".ie") && !line.starts_with(".el"));
    for line in lines {
        out.extend_from_slice(line.as_bytes());
        out.push(b'\n');
    }
    Ok(())
}

fn visible(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help")
}

/// The completion of a program for a shell.
///
/// # Errors
/// None, as it is written to memory.
pub fn completion(command: &Command, shell: Shell) -> io::Result<String> {
    let mut command = command.clone();
    let name = command.get_name().to_owned();
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut out);
    String::from_utf8(out).map_err(io::Error::other)
}
