//! Collects the Workplace Join certificates of a keychain.

use serde::{Deserialize, Serialize};

use crate::parse::{
    certificate::{self, Description},
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

/// The certificates that were added. All are counted, and the first ones are kept. Of the others, only the one that may
/// have to be reported is kept.
pub(super) struct Certificates {
    most_with_private_key: usize,
    most_without: usize,
    kept: Vec<WorkplaceJoinCertificate>,
    pub(super) with_private_key: usize,
    pub(super) without_private_key: usize,
    /// Of the identities beyond the first ones, the one whose validity starts last; the first of equal ones.
    latest: Option<(Option<Timestamp>, Vec<u8>)>,
}

impl Certificates {
    /// An empty collection that keeps at most this many certificates.
    pub(super) const fn keeping(most_with_private_key: usize, most_without: usize) -> Self {
        let kept = Vec::new();
        Self { most_with_private_key, most_without, kept, with_private_key: 0, without_private_key: 0, latest: None }
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
        let not_before = certificate::not_before(der);
        if has_private_key && self.latest.as_ref().is_none_or(|(latest, _)| *latest < not_before) {
            self.latest = Some((not_before, der.to_vec()));
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
