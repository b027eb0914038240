use super::*;

fn line(source: &str, text: impl Into<String>) -> LogLine {
    let time = DateTime::from_timestamp_micros(1_800_000_000_123_456).unwrap();
    LogLine { time, source: source.to_owned(), text: text.into() }
}

fn query(lines: usize, process_type: Option<&str>) -> LogQuery {
    LogQuery { lines, process_type: process_type.map(str::to_owned) }
}

fn texts(journal: &Journal, query: &LogQuery) -> Vec<String> {
    journal.read(query).unwrap().0.into_iter().map(|line| line.text).collect()
}

#[test]
fn lines_survive_a_restart_as_they_were() {
    let dir = tempfile::tempdir().unwrap();
    let app = AppId::generate();
    let written = [line("web.1", "one  two "), line("slipway[router]", ""), line("web.1", "ä\u{1b}[0m")];
    for line in &written {
        Journals::new(dir.path().into(), 1000).of(app).unwrap().write(line.clone());
    }
    let journal = Journals::new(dir.path().into(), 1000).of(app).unwrap();
    assert_eq!(journal.read(&query(10, None)).unwrap().0, written);
}

#[test]
fn the_newest_lines_of_one_type_are_found_across_files_and_blocks() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journals::new(dir.path().into(), 400_000).of(AppId::generate()).unwrap();
    for number in 0..5000 {
        let source = if number % 100 == 0 { "worker.2" } else { "web.1" };
        journal.write(line(source, format!("{number} {}", "x".repeat(50))));
    }
    let first_word = |text: &String| text.split(' ').next().unwrap().parse::<u32>().unwrap();
    let web: Vec<u32> = texts(&journal, &query(4500, Some("web"))).iter().map(first_word).collect();
    let expect: Vec<u32> = (0..5000).filter(|number| number % 100 != 0).collect();
    assert_eq!(web[..], expect[expect.len() - 4500..]);
    let worker: Vec<u32> = texts(&journal, &query(3, Some("worker"))).iter().map(first_word).collect();
    assert_eq!(worker, [4700, 4800, 4900]);
    assert!(texts(&journal, &query(0, None)).is_empty());
    assert!(texts(&journal, &query(5, Some("we"))).is_empty());
}

#[test]
fn files_stay_under_their_size() {
    let dir = tempfile::tempdir().unwrap();
    let app = AppId::generate();
    let journal = Journals::new(dir.path().into(), 10_000).of(app).unwrap();
    for number in 0..2000 {
        journal.write(line("web.1", number.to_string()));
    }
    let home = dir.path().join(app.to_string());
    let sizes: Vec<u64> = fs::read_dir(&home).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).collect();
    assert_eq!(sizes.len(), 2);
    assert!(sizes.iter().all(|size| *size <= 10_000), "{sizes:?}");
    assert_eq!(texts(&journal, &query(2, None)), ["1998", "1999"]);
}

#[test]
fn a_torn_last_line_does_not_swallow_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let app = AppId::generate();
    let home = dir.path().join(app.to_string());
    fs::create_dir_all(&home).unwrap();
    fs::write(home.join("app.log"), "2026-01-01T00:00:00.000000Z web.1 whole\n2026-01-01T00:0").unwrap();
    let journal = Journals::new(dir.path().into(), 1000).of(app).unwrap();
    journal.write(line("web.1", "next"));
    assert_eq!(texts(&journal, &query(10, None)), ["whole", "next"]);
}

#[test]
fn a_removed_log_stays_removed() {
    let dir = tempfile::tempdir().unwrap();
    let app = AppId::generate();
    let journals = Journals::new(dir.path().into(), 1000);
    let journal = journals.of(app).unwrap();
    journal.write(line("web.1", "x"));
    journals.remove(app).unwrap();
    journals.remove(app).unwrap();
    journal.write(line("web.1", "late"));
    assert!(journals.of(app).is_none());
    assert!(fs::read_dir(dir.path()).unwrap().next().is_none());
}

#[tokio::test]
async fn a_reader_gets_each_later_line_once() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journals::new(dir.path().into(), 1000).of(AppId::generate()).unwrap();
    journal.write(line("web.1", "before"));
    let (lines, mut later) = journal.read(&LogQuery::default()).unwrap();
    assert_eq!(lines.len(), 1);
    journal.write(line("web.1", "after\nand on"));
    assert_eq!(later.recv().await.unwrap().text, "after and on");
    assert!(later.try_recv().is_err());
}
