//! The schema: the attributes of each relation, with their order and formats.

use std::collections::BTreeMap;

use super::{
    error::{Error, ErrorKind},
    id::{AttributeId, RelationId},
    record::Record,
    relation::{Format, Relation},
};

/// The most attributes of a relation. Real ones have far fewer, and a hostile schema costs time.
const MAX_ATTRIBUTES: usize = 256;

/// The relations that a keychain declares.
#[derive(Debug, Clone, Default)]
pub(super) struct Schema {
    relations: BTreeMap<RelationId, Relation>,
}

impl Schema {
    /// Adds one row of [`RelationId::SCHEMA_ATTRIBUTES`]; rows must come in the order of the file.
    ///
    /// `has_table` tests whether the keychain has a table for a relation. macOS creates both at the same time, so a
    /// declared relation without a table is damage, and does not mean that there are no such records.
    pub(super) fn add_row(&mut self, row: &Record<'_>, has_table: impl Fn(RelationId) -> bool) -> Result<(), Error> {
        const RELATION: usize = 0;
        const ATTRIBUTE: usize = 1;
        const FORMAT: usize = 5;
        let relation = row.required_atom(RELATION)?;
        let relation_id = RelationId(relation.value);
        if relation_id.is_schema() {
            return Ok(());
        }
        if !has_table(relation_id) {
            return Err(relation.error(ErrorKind::MissingTable(relation_id)));
        }
        let attribute = row.required_atom(ATTRIBUTE)?;
        let id = AttributeId(attribute.value);
        let number = row.required_atom(FORMAT)?;
        let format =
            Format::from_number(number.value).ok_or_else(|| number.error(ErrorKind::UnknownFormat(number.value)))?;
        let known = self.relations.entry(relation_id).or_default();
        if known.width() >= MAX_ATTRIBUTES {
            return Err(attribute.error(ErrorKind::TooManyAttributes(relation_id)));
        }
        known.push(id, format).ok_or_else(|| attribute.error(ErrorKind::DuplicateAttribute(id)))
    }

    /// The relation with this ID, if the keychain declares it.
    pub(super) fn relation(&self, id: RelationId) -> Option<&Relation> {
        self.relations.get(&id)
    }
}
