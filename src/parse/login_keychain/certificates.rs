//! Collects the Workplace Join certificates of a keychain.

use serde::{Deserialize, Serialize};

use crate::parse::{
    certificate::{self, Description},
    tenants::Tenants,
    timestamp::Timestamp,
};

/// A Workplace Join certificate in a keychain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkplaceJoinCertificate {
    /// Start of the validity, if the certificate can be read up to it.
    pub(crate) not_before: Option<Timestamp>,
    /// The contents; `None` if the certificate cannot be parsed, so only its issuer is known.
    pub description: Option<Description>,
    pub has_private_key: bool,
}

impl WorkplaceJoinCertificate {
    fn new(der: &[u8], has_private_key: bool) -> Self {
        Self { not_before: certificate::not_before(der), description: certificate::describe(der), has_private_key }
    }

    pub(crate) fn tenant_id(&self) -> Option<&str> {
        self.description.as_ref()?.tenant_id.as_deref()
    }
}

/// Whether the tenant is known, if tenants are expected, and when the certificate's validity starts.
type Rank = (bool, Option<Timestamp>);

/// The order of the identities that count: the one with the highest rank is reported.
pub(super) fn rank(tenant: Option<&str>, not_before: Option<Timestamp>, tenants: &Tenants) -> Rank {
    (!tenants.accept_all() && tenant.is_some(), not_before)
}

/// The certificates that were added. All are counted, and the first ones are kept. Of the others, only the one that may
/// have to be reported is kept.
pub(super) struct Certificates {
    most_with_private_key: usize,
    most_without: usize,
    kept: Vec<WorkplaceJoinCertificate>,
    pub(super) with_private_key: usize,
    pub(super) without_private_key: usize,
    /// Of the identities that count beyond the first ones, the one with the highest rank; the first of equal ones.
    latest: Option<(Rank, Vec<u8>)>,
    tenants: Tenants,
}

impl Certificates {
    /// An empty collection that keeps at most this many certificates.
    pub(super) const fn keeping(most_with_private_key: usize, most_without: usize, tenants: Tenants) -> Self {
        Self {
            most_with_private_key,
            most_without,
            kept: Vec::new(),
            with_private_key: 0,
            without_private_key: 0,
            latest: None,
            tenants,
        }
    }

    /// Adds a certificate; returns whether it was parsed and is damaged.
    pub(super) fn add(&mut self, der: &[u8], has_private_key: bool) -> bool {
        let (count, most) = if has_private_key {
            (&mut self.with_private_key, self.most_with_private_key)
        } else {
            (&mut self.without_private_key, self.most_without)
        };
        *count += 1;
        if *count <= most {
            let certificate = WorkplaceJoinCertificate::new(der, has_private_key);
            let is_unparsable = certificate.description.is_none();
            self.kept.push(certificate);
            return is_unparsable;
        }
        if has_private_key {
            // Its tenant is only of interest where some are expected.
            let description = if self.tenants.accept_all() { None } else { certificate::describe(der) };
            let tenant = description.as_ref().and_then(|it| it.tenant_id.as_deref());
            let rank = rank(tenant, certificate::not_before(der), &self.tenants);
            if self.tenants.accept(tenant) && self.latest.as_ref().is_none_or(|(latest, _)| *latest < rank) {
                self.latest = Some((rank, der.to_vec()));
            }
        }
        false
    }

    /// The kept certificates in the order of the file, followed by the latest of the others.
    pub(super) fn into_kept(self) -> Vec<WorkplaceJoinCertificate> {
        let mut kept = self.kept;
        kept.extend(self.latest.map(|(_, der)| WorkplaceJoinCertificate::new(&der, true)));
        kept
    }
}
