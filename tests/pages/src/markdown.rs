//! A page, as far as the tests look at it.

use std::collections::HashMap;

use pulldown_cmark::{
    BrokenLink, CodeBlockKind, CowStr, Event, LinkType, Options, Parser, Tag, TagEnd,
};

#[derive(Debug)]
pub(crate) struct Page {
    /// Its path below the root of the repository.
    pub(crate) path: String,
    pub(crate) links: Vec<Link>,
    /// Labels and targets of the definitions, whether they are used or not.
    pub(crate) definitions: Vec<(String, String)>,
    /// References without a definition: readers see them with their brackets.
    pub(crate) undefined: Vec<(usize, String)>,
    /// The anchors of its headings, as GitHub and rustdoc make them.
    pub(crate) anchors: Vec<String>,
    /// Code in a line.
    pub(crate) spans: Vec<Span>,
    pub(crate) blocks: Vec<Block>,
}

#[derive(Debug)]
pub(crate) struct Span {
    pub(crate) line: usize,
    pub(crate) text: String,
    /// The heading of its column, if it stands in a table.
    pub(crate) column: String,
}

#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) line: usize,
    pub(crate) target: String,
    /// With its target in the text, `[a](b)`, in place of a reference to a definition.
    pub(crate) is_inline: bool,
}

#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) line: usize,
    /// What stands behind the fence: `rust,no_run`.
    pub(crate) language: String,
    pub(crate) text: String,
}

impl Page {
    pub(crate) fn read(path: String) -> Page {
        let text = crate::read(&path);
        Page::parse(path, &text)
    }

    pub(crate) fn parse(path: String, text: &str) -> Page {
        let line = |offset: usize| 1 + text[..offset].matches('\n').count();
        let mut undefined = Vec::new();
        let mut note = |link: BrokenLink<'_>| {
            undefined.push((line(link.span.start), text[link.span].to_owned()));
            None::<(CowStr<'_>, CowStr<'_>)>
        };
        let options = Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES;
        let events = Parser::new_with_broken_link_callback(text, options, Some(&mut note));
        let definitions = events.reference_definitions().iter();
        let definitions = definitions.map(|(label, to)| (label.to_owned(), to.dest.to_string()));
        let mut page = Page {
            path,
            links: Vec::new(),
            definitions: definitions.collect(),
            undefined: Vec::new(),
            anchors: Vec::new(),
            spans: Vec::new(),
            blocks: Vec::new(),
        };
        let mut slugs = Slugs::default();
        let mut heading: Option<String> = None;
        let mut block: Option<Block> = None;
        let mut table = Table::default();
        for (event, span) in events.into_offset_iter() {
            match event {
                Event::Start(Tag::Table(_)) => table = Table::default(),
                Event::End(TagEnd::Table) => table = Table::default(),
                Event::Start(Tag::TableHead) => table.headings.push(String::new()),
                Event::End(TagEnd::TableCell) if table.is_in_head => {
                    table.headings.push(String::new());
                }
                Event::End(TagEnd::TableCell) => table.column += 1,
                Event::End(TagEnd::TableHead) => table.is_in_head = false,
                Event::Start(Tag::TableRow) => table.column = 0,
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => {
                    let text = heading.take().unwrap_or_default();
                    page.anchors.push(slugs.anchor(&text));
                }
                Event::Start(
                    Tag::Link {
                        link_type,
                        dest_url,
                        ..
                    }
                    | Tag::Image {
                        link_type,
                        dest_url,
                        ..
                    },
                ) => page.links.push(Link {
                    line: line(span.start),
                    target: dest_url.into_string(),
                    is_inline: link_type == LinkType::Inline,
                }),
                Event::Start(Tag::CodeBlock(kind)) => {
                    let language = match kind {
                        CodeBlockKind::Fenced(language) => language.into_string(),
                        CodeBlockKind::Indented => String::new(),
                    };
                    block = Some(Block {
                        line: line(span.start),
                        language,
                        text: String::new(),
                    });
                }
                Event::End(TagEnd::CodeBlock) => page.blocks.extend(block.take()),
                Event::Code(code) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&code);
                    }
                    table.add(&code);
                    page.spans.push(Span {
                        line: line(span.start),
                        column: table.heading(),
                        text: code.into_string(),
                    });
                }
                Event::Text(text) => {
                    table.add(&text);
                    let open = block.as_mut().map(|block| &mut block.text);
                    if let Some(open) = open.or(heading.as_mut()) {
                        open.push_str(&text);
                    }
                }
                _ => {}
            }
        }
        page.undefined = undefined;
        page
    }
}

/// Where in a table the text is.
struct Table {
    headings: Vec<String>,
    is_in_head: bool,
    column: usize,
}

impl Default for Table {
    fn default() -> Self {
        Table {
            headings: Vec::new(),
            is_in_head: true,
            column: 0,
        }
    }
}

impl Table {
    fn add(&mut self, text: &str) {
        if let Some(heading) = self.headings.last_mut()
            && self.is_in_head
        {
            heading.push_str(text);
        }
    }

    fn heading(&self) -> String {
        let heading = self.headings.get(self.column);
        heading
            .filter(|_| !self.is_in_head)
            .cloned()
            .unwrap_or_default()
    }
}

/// The anchors that were given out.
#[derive(Default)]
struct Slugs(HashMap<String, usize>);

impl Slugs {
    fn anchor(&mut self, heading: &str) -> String {
        let heading = heading.to_lowercase().replace(' ', "-");
        let is_kept = |c: &char| c.is_alphanumeric() || matches!(c, '-' | '_');
        let slug: String = heading.chars().filter(is_kept).collect();
        let seen = self.0.entry(slug.clone()).or_default();
        *seen += 1;
        match *seen {
            1 => slug,
            more => format!("{slug}-{}", more - 1),
        }
    }
}
