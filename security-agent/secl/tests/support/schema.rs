//! A schema made of `fields.tsv` and `constants.tsv`.

use std::collections::HashMap;

use secl::schema::weight;
use secl::{EventTypeId, Field, FieldId, IteratorId, Kind, Matching, Schema, Value};

#[derive(Debug, Default)]
pub struct TableSchema {
    pub fields: Vec<(String, Field)>,
    by_name: HashMap<String, usize>,
    constants: HashMap<String, Value>,
    pub iterators: Vec<String>,
    pub events: Vec<String>,
}

impl TableSchema {
    /// The schema of the shared tables.
    pub fn shared() -> Option<Self> {
        let fields = super::shared("secl/fields.tsv")?;
        let constants = super::shared("secl/constants.tsv")?;
        let mut schema = Self::default();
        for line in constants.lines().filter(|line| !line.starts_with('#')) {
            let columns: Vec<_> = line.split('\t').collect();
            let value = match columns[2] {
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                "string[]" => Value::Strs(vec![b"agent_map".to_vec()]),
                number => Value::Int(
                    number.parse::<i64>().unwrap_or_else(|_| number.parse::<u64>().unwrap().cast_signed()),
                ),
            };
            schema.constants.insert(columns[0].to_owned(), value);
        }
        let rows: Vec<Vec<&str>> = fields
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.split('\t').collect())
            .collect();
        for row in &rows {
            if !row[2].is_empty() {
                schema.iterator_id(row[2]);
            }
        }
        for row in &rows {
            schema.add_row(row);
        }
        Some(schema)
    }

    /// A schema of a few fields, for tests that need no table: `name type iterator event matching` separated by blanks, `-` for none.
    pub fn small(rows: &[&str]) -> Self {
        let mut schema = Self::default();
        for row in rows {
            let row: Vec<_> = row.split(' ').map(|cell| if cell == "-" { "" } else { cell }).collect();
            if !row[2].is_empty() {
                schema.iterator_id(row[2]);
            }
            schema.add_row(&row);
        }
        for (name, value) in [("O_CREAT", 64), ("O_EXCL", 128), ("O_RDWR", 2), ("O_WRONLY", 1)] {
            schema.constants.insert(name.to_owned(), Value::Int(value));
        }
        schema
    }

    fn iterator_id(&mut self, name: &str) -> IteratorId {
        let at = self.iterators.iter().position(|known| known == name).unwrap_or_else(|| {
            self.iterators.push(name.to_owned());
            self.iterators.len() - 1
        });
        IteratorId(u16::try_from(at).unwrap())
    }

    fn event_id(&mut self, name: &str) -> EventTypeId {
        let at = self.events.iter().position(|known| known == name).unwrap_or_else(|| {
            self.events.push(name.to_owned());
            self.events.len() - 1
        });
        EventTypeId(u16::try_from(at).unwrap())
    }

    fn add_row(&mut self, row: &[&str]) {
        let [name, ty, iterator, event, matching] = row else { panic!("bad row {row:?}") };
        // The language derives lengths of iterators and strings.
        if let Some(base) = name.strip_suffix(".length")
            && *name != "dns.question.length"
        {
            assert!(
                self.iterators.iter().any(|it| it == base)
                    || self.by_name.contains_key(base)
                    || base.ends_with("name")
                    || base.ends_with("path"),
                "{name}"
            );
            return;
        }
        let iterator = (!iterator.is_empty()).then(|| self.iterator_id(iterator));
        let event = (*event != "*").then(|| self.event_id(event));
        let list = ty.ends_with("[]") || iterator.is_some();
        let kind = match ty.trim_end_matches("[]") {
            "int" => Kind::Int,
            "bool" => Kind::Bool,
            "string" => Kind::Str,
            "ip" => Kind::Ip,
            other => panic!("unknown type {other}"),
        };
        let field = Field {
            id: FieldId(u16::try_from(self.fields.len()).unwrap()),
            kind,
            list,
            iterator,
            event,
            matching: match *matching {
                "glob" => Matching::Path,
                "icase" => Matching::CaseInsensitive,
                "path-validated" => Matching::CheckedPath,
                "pcap" => Matching::PacketFilter,
                _ => Matching::Plain,
            },
            alternatives: matches!(*matching, "glob" | "symlink_name"),
            weight: match (iterator, name) {
                (Some(_), _) => weight::ITERATOR,
                (None, name) if name.ends_with(".tags") => weight::REMOTE,
                (None, name) if name.ends_with(".path") => weight::RESOLVED,
                _ if list => weight::ARRAY,
                _ => weight::PLAIN,
            },
            max_literal: matches!(*name, "bpf.map.name" | "bpf.prog.name").then_some(16),
        };
        self.by_name.insert((*name).to_owned(), self.fields.len());
        self.fields.push(((*name).to_owned(), field));
    }

    /// Value of an integer written as a number or as names of constants joined with `|`.
    pub fn int(&self, text: &str) -> Option<i64> {
        let mut value = 0;
        for name in text.split('|') {
            let Some(Value::Int(bits)) = self.constants.get(name.trim()) else { return None };
            value |= *bits;
        }
        Some(value)
    }
}

/// The field that replaced an old name.
fn current_name(name: &str) -> Option<String> {
    const OLD: &[(&str, &str)] = &[
        ("container.", "process.container."),
        ("cgroup.", "process.cgroup."),
        ("rename.old.filename", "rename.file.path"),
        ("rename.new.filename", "rename.file.destination.path"),
        ("async", "event.async"),
    ];
    OLD.iter().find_map(|(old, new)| name.strip_prefix(old).map(|rest| format!("{new}{rest}")))
}

impl Schema for TableSchema {
    fn field(&self, name: &str) -> Option<Field> {
        let at = self.by_name.get(name).or_else(|| self.by_name.get(&current_name(name)?))?;
        Some(self.fields[*at].1)
    }

    fn iterator(&self, name: &str) -> Option<IteratorId> {
        let at = self.iterators.iter().position(|known| known == name)?;
        Some(IteratorId(u16::try_from(at).unwrap()))
    }

    fn constant(&self, name: &str) -> Option<Value> {
        self.constants.get(name).cloned()
    }

    fn event_type(&self, name: &str) -> Option<EventTypeId> {
        let at = self.events.iter().position(|known| known == name)?;
        Some(EventTypeId(u16::try_from(at).unwrap()))
    }

    fn event_type_name(&self, id: EventTypeId) -> &str {
        &self.events[usize::from(id.0)]
    }

    fn each_name(&self, visit: &mut dyn FnMut(&str)) {
        self.fields.iter().for_each(|(name, _)| visit(name));
        self.constants.keys().for_each(|name| visit(name));
    }
}
