//! Reading the answer from small and very large keychains, and the same question through keychain-db.

use std::{
    fs::{self, File},
    hint::black_box,
    path::PathBuf,
};

use criterion::{Criterion, criterion_group, criterion_main};
use fixture_generator::keychain::bulk;
use keychain::{KeychainFile, RecordType, Value};
use wpj_state::login_keychain::{self, Depth};

/// Name and number of generic passwords: 30 kB, 300 kB and 100 MB.
const SIZES: [(&str, usize); 3] = [("30 kB", 13), ("300 kB", 560), ("100 MB", 200_000)];

fn benches(criterion: &mut Criterion) {
    for (name, passwords) in SIZES {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{passwords}.keychain-db"));
        fs::write(&path, bulk(passwords).to_bytes()).unwrap();
        let mut group = criterion.benchmark_group(name);
        group.bench_function("wpj-state", |bencher| {
            bencher.iter(|| {
                let found = login_keychain::read(File::open(&path).unwrap(), Depth::State).unwrap();
                assert!(black_box(found).workplace_join_identity().is_some());
            });
        });
        group.sample_size(10).bench_function("keychain-db", |bencher| {
            bencher.iter(|| assert!(black_box(through_keychain_db(&path))));
        });
        group.finish();
    }
}

/// Whether some certificate's public key hash is some private key's label. Who issued it is not even asked.
fn through_keychain_db(path: &PathBuf) -> bool {
    let file = KeychainFile::open(path).unwrap();
    let values = |relation: u32, attribute: &str| {
        let relation = RecordType(relation);
        let position = file.schema().relation(relation).and_then(|relation| relation.index_of(attribute)).unwrap();
        let records = file.records_of_type(relation);
        let values = records.into_iter().filter_map(|record| record.attribute(position).and_then(Value::as_bytes));
        values.map(<[u8]>::to_vec).collect::<Vec<_>>()
    };
    let labels = values(0x10, "Label");
    values(0x8000_1000, "PublicKeyHash").iter().any(|hash| labels.contains(hash))
}

criterion_group!(all, benches);
criterion_main!(all);
