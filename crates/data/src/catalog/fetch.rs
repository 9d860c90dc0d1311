//! Downloads: checked against the manifest before they get their name.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use semblant_core::files::{self, Temporary};
use sha2::{Digest, Sha256};

use super::split::split;
use super::{Dataset, DatasetFile, Source, hexadecimal, is_gzip};
use crate::{Error, Result};

/// Long enough for a slow line, short enough not to hang for ever.
const TIMEOUT: Duration = Duration::from_secs(300);

impl Dataset {
    /// Fetches the data set and writes its files below `cache_dir`, unless they are there already.
    ///
    /// # Errors
    /// When the data set has no download, the server cannot be reached, what it sends is not the table of the manifest, or the files
    /// cannot be written. The folder then holds what it held before.
    pub fn download(&self, cache_dir: &Path) -> Result<()> {
        if self.files.iter().all(|file| file.verify(&cache_dir.join(&file.path)).is_ok()) {
            return Ok(());
        }
        let Some(source) = &self.source else {
            let name = &self.name;
            return Err(Error::Table(format!("data set \"{name}\" has no download; make its files from {}", self.origin)));
        };
        let parts = self.fetch(source)?;
        // Every part is on disk before the first gets its name.
        let written =
            self.files.iter().zip(parts).map(|(file, part)| write(&cache_dir.join(&file.path), &part)).collect::<Result<Vec<_>>>()?;
        for (temporary, path) in written {
            temporary.persist().map_err(|source| Error::io(path, source))?;
        }
        Ok(())
    }

    /// The contents of every file.
    fn fetch(&self, source: &Source) -> Result<Vec<Vec<u8>>> {
        let url = &source.url;
        let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(TIMEOUT)).build().into();
        let mut response = agent.get(url).call().map_err(|error| {
            let what = error.to_string().replace('\n', " ");
            Error::Table(format!("cannot fetch {url}: {what}; check the connection or try again later"))
        })?;
        let rows: Vec<u64> = self.files.iter().map(|file| file.rows).collect();
        let parts = split(response.body_mut().as_reader().take(self.most_bytes()), source.seed, &rows);
        let sent = |what: String| Error::Table(format!("{url} sent {what}; nothing was kept, try again later"));
        let parts = parts.map_err(sent)?;
        match self.files.iter().zip(&parts).find(|(file, part)| hexadecimal(&Sha256::digest(part)) != file.sha256) {
            Some((DatasetFile { split, .. }, _)) => Err(sent(format!("{split} rows that differ from the manifest"))),
            None => Ok(parts),
        }
    }

    /// More than the table can have with blanks around its values, so that no server fills the memory.
    fn most_bytes(&self) -> u64 {
        2 * self.files.iter().map(|file| file.bytes).sum::<u64>()
    }
}

/// A temporary file next to `path`.
fn write(path: &Path, contents: &[u8]) -> Result<(Temporary, PathBuf)> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(|source| Error::io(folder, source))?;
    let temporary = files::temporary(path).map_err(|source| Error::io(path, source))?;
    let mut file = temporary.as_file();
    let written = if is_gzip(path) {
        let mut packed = GzEncoder::new(file, Compression::default());
        packed.write_all(contents).and_then(|()| packed.finish().map(|_| ()))
    } else {
        file.write_all(contents)
    };
    written.map_err(|source| Error::io(path, source))?;
    Ok((temporary, path.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::catalog::Catalog;
    use crate::catalog::split::deal;
    use crate::table::ColumnKind;

    /// Answers one request with `body` under a head that promises `promised` bytes; gives the address to ask at.
    fn serve(status: &'static str, body: String, promised: usize) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/t.csv", listener.local_addr().expect("an address"));
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a request");
            let _ = stream.read(&mut [0; 4096]);
            let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {promised}\r\nConnection: close\r\n\r\n{body}");
        });
        url
    }

    /// A data set of three rows, two for training, at `url`.
    fn small(url: String) -> Dataset {
        let mut set = Catalog::get("adult").expect("known");
        // printf 'a,b\n1,x\n3,z\n' | sha256sum; printf 'a,b\n2,y\n' | sha256sum
        let hashes = [
            "5c68924b7d56118a58d33dd4f240a418459b77044235909a165cce02593a50e6",
            "938bd15e6f8a8a5aad23a2c184875bca3d5467aba46dd9208cf8e7694d5acba5",
        ];
        for (file, (sha256, (rows, bytes))) in set.files.iter_mut().zip(hashes.into_iter().zip([(2, 12), (1, 8)])) {
            (file.sha256, file.rows, file.bytes) = (sha256.into(), rows, bytes);
        }
        set.source = Some(Source { url, seed: 0 });
        set
    }

    #[test]
    fn the_files_of_the_manifest_get_their_names() {
        let folder = tempfile::tempdir().expect("a folder");
        let text = "a,b\n1, x\n2, y\n3, z\n";
        let set = small(serve("200 OK", text.into(), text.len()));
        set.download(folder.path()).expect("the same rows");
        for file in &set.files {
            file.verify(&folder.path().join(&file.path)).expect("the same contents");
        }
        assert_eq!(std::fs::read_dir(folder.path().join("adult")).expect("readable").count(), 2);
        // The server is gone: what is there is not asked for again.
        set.download(folder.path()).expect("there already");
        let train = folder.path().join("adult/train.csv.gz");
        std::fs::write(&train, "damaged").expect("writable");
        set.files[0].verify(&train).expect_err("damaged");
        assert!(set.download(folder.path()).expect_err("nobody to ask").to_string().contains("cannot fetch"));
    }

    #[test]
    fn anything_else_leaves_nothing_behind() {
        let said = |status, body: &str, promised| {
            let folder = tempfile::tempdir().expect("a folder");
            let error = small(serve(status, body.into(), promised)).download(folder.path()).expect_err("not the table").to_string();
            assert_eq!(std::fs::read_dir(folder.path()).expect("readable").count(), 0, "{error}");
            assert!(error.lines().count() == 1 && error.contains("http://127.0.0.1"), "{error}");
            error
        };
        assert!(said("404 Not Found", "", 0).contains("404"));
        assert!(said("200 OK", "<html>\n<p>Sign in, please</p>\n", 31).contains("something else than the table"));
        assert!(said("200 OK", "a,b\n1, x\n2, y\n", 14).contains("2 rows where the manifest says 3"));
        // A line that breaks in the middle of the file.
        assert!(said("200 OK", "a,b\n1, x\n2, y\n", 19).contains("sent"));
        assert!(said("200 OK", "a,b\n1, x\n2, y\n3, w\n", 19).contains("train rows that differ from the manifest"));
        assert!(said("200 OK", &format!("a,b\n{}", "1, x\n".repeat(1000)), 5004).contains("more than the 3 rows"));
        // An address where nobody listens.
        let folder = tempfile::tempdir().expect("a folder");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/t.csv", listener.local_addr().expect("an address"));
        drop(listener);
        let error = small(url).download(folder.path()).expect_err("nobody").to_string();
        assert!(error.contains("cannot fetch") && error.lines().count() == 1, "{error}");
    }

    /// The published text, put together from the files of a data folder; in Adult's, labels have a leading blank.
    fn published(set: &Dataset, data: &Path) -> String {
        let read = |file: &DatasetFile| {
            let packed = std::fs::File::open(data.join(&file.path)).expect("there");
            std::io::read_to_string(flate2::read::MultiGzDecoder::new(packed)).expect("UTF-8")
        };
        let texts: Vec<String> = set.files.iter().map(read).collect();
        let mut parts: Vec<_> = texts.iter().map(|text| text.lines()).collect();
        let header = parts.iter_mut().filter_map(Iterator::next).last().expect("a header");
        let blank = |column: usize| set.name == "adult" && set.schema.columns[column].kind == ColumnKind::Categorical;
        let mut text = format!("{header}\n");
        for part in deal(0, &set.files.iter().map(|file| file.rows).collect::<Vec<_>>()) {
            for (column, value) in parts[part].next().expect("a row").split(',').enumerate() {
                text.extend([if column > 0 { "," } else { "" }, if blank(column) { " " } else { "" }, value]);
            }
            text.push('\n');
        }
        text
    }

    /// The hashes of the published texts are those that Python makes of the same files with `random.Random(0).shuffle`; the lengths, heads
    /// and tails of the texts were compared with the published ones.
    #[test]
    #[cfg_attr(not(has_data), ignore = "set SEMBLANT_DATA to run")]
    fn the_published_tables_become_the_files_of_the_manifests() {
        let data = std::env::var_os("SEMBLANT_DATA").map(PathBuf::from).expect("SEMBLANT_DATA names a folder of data sets");
        let published_as = [
            ("adult", 3_811_655, "b1ee59153ff6055037ada6074d5cbed507af97f4d4d4b1fffcd7f62133c283a5"),
            ("online-shoppers", 759_917, "2afdf7abe815dccb7ca0bd649bc641102dffdda372b1a7e6942d80c78b9cd003"),
            ("california-housing", 1_423_529, "8a3727f4cf54ac1a327f69b1d5b4db54c5834ea81c6e4efc0d163300022a685e"),
        ];
        for (name, bytes, sha256) in published_as {
            let mut set = Catalog::get(name).expect("known");
            let text = published(&set, &data);
            assert_eq!((text.len(), hexadecimal(&Sha256::digest(&text)).as_str()), (bytes, sha256), "{name}");
            set.source = Some(Source { url: serve("200 OK", text, bytes), seed: 0 });
            let cache = tempfile::tempdir().expect("a folder");
            set.download(cache.path()).expect("the same rows");
            for file in &set.files {
                file.verify(&cache.path().join(&file.path)).expect("the same contents");
                let table = set.read(&file.split, None, cache.path()).expect("as declared");
                assert_eq!(table.rows() as u64, file.rows);
            }
        }
    }
}
