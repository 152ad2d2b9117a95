//! The Workplace Join certificates of a keychain.

use serde::{Deserialize, Serialize};

use crate::parse::{
    certificate::{self, Description},
    tenants::Tenants,
    timestamp::Timestamp,
};

/// A Workplace Join certificate in a keychain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkplaceJoinCertificate {
    /// Start of the validity, if the certificate can be read up to that.
    pub(crate) not_before: Option<Timestamp>,
    /// What it says; `None` if it cannot be parsed, so that only its issuer is known.
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

/// Whether a known tenant goes first and this is known, and since when the certificate is valid.
type Rank = (bool, Option<Timestamp>);

/// How well an identity stands among those that count: where tenants are expected, a known one goes first.
pub(super) fn rank(tenant: Option<&str>, not_before: Option<Timestamp>, tenants: &Tenants) -> Rank {
    (!tenants.accept_all() && tenant.is_some(), not_before)
}

/// The certificates that were added: all counted, the first ones kept, and of the others the one that may have to be
/// described.
pub(super) struct Certificates {
    most_with_private_key: usize,
    most_without: usize,
    kept: Vec<WorkplaceJoinCertificate>,
    pub(super) with_private_key: usize,
    pub(super) without_private_key: usize,
    /// Of those that are not kept, have their key and count, the first that stands best.
    latest: Option<(Rank, Vec<u8>)>,
    tenants: Tenants,
}

impl Certificates {
    /// None so far, and at most so many to be kept.
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

    /// Adds a certificate, and says whether it turned out that it cannot be parsed.
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

    /// The kept certificates in the order of the file, and the latest of the others.
    pub(super) fn into_kept(self) -> Vec<WorkplaceJoinCertificate> {
        let mut kept = self.kept;
        kept.extend(self.latest.map(|(_, der)| WorkplaceJoinCertificate::new(&der, true)));
        kept
    }
}
