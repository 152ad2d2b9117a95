//! Writes certificates of each issuer into a folder, as seeds for the fuzzer: `certificates FOLDER`.

use std::{env, fs, io, path::PathBuf};

use fixture_generator::{Certificate, Issuer};

fn main() -> io::Result<()> {
    let folder = PathBuf::from(env::args_os().nth(1).ok_or(io::ErrorKind::InvalidInput)?);
    let issuers = [
        Issuer::WorkplaceJoin,
        Issuer::WorkplaceJoinLowerCase,
        Issuer::WorkplaceJoinBmp,
        Issuer::WorkplaceJoinUniversal,
        Issuer::WorkplaceJoinSecondCommonName,
        Issuer::PeerToPeer,
        Issuer::WorkplaceJoinAsUnit,
        Issuer::Contoso,
    ];
    for (number, issuer) in issuers.into_iter().enumerate() {
        let certificate = Certificate { issuer, ..Certificate::workplace_join() };
        fs::write(folder.join(number.to_string()), certificate.der())?;
    }
    Ok(())
}
