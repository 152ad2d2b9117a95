//! The tenants whose registrations count.

use serde::{Deserialize, Serialize};

/// The IDs of the tenants that an administrator expects, in lower case. If there are none, every tenant counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenants(Vec<String>);

impl Tenants {
    pub fn new(ids: impl IntoIterator<Item = String>) -> Self {
        Self(ids.into_iter().map(|id| id.to_ascii_lowercase()).collect())
    }

    /// Whether a registration with this tenant counts. It does if the tenant is not known.
    pub fn accept(&self, tenant: Option<&str>) -> bool {
        self.0.is_empty() || tenant.is_none_or(|tenant| self.0.iter().any(|id| id.eq_ignore_ascii_case(tenant)))
    }

    /// Whether no tenant is expected, and therefore every registration counts.
    pub const fn accept_all(&self) -> bool {
        self.0.is_empty()
    }

    /// The tenants in lower case.
    pub fn ids(&self) -> &[String] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expected_tenant_and_an_unknown_one_count() {
        let expected = Tenants::new(["7E0C6B1D-2F4A-4C58-9D3E-1A2B3C4D5E6F".to_owned()]);
        assert!(expected.accept(Some("7e0c6b1d-2f4a-4c58-9d3e-1a2b3c4d5e6f")));
        assert!(expected.accept(None));
        assert!(!expected.accept(Some("00000000-2f4a-4c58-9d3e-1a2b3c4d5e6f")));
        assert!(Tenants::default().accept(Some("00000000-2f4a-4c58-9d3e-1a2b3c4d5e6f")));
    }
}
