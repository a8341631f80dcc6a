//! The arguments of one request: ranges into the bytes they arrived in. Nothing is copied until a
//! request is queued by MULTI.

/// Where one argument lies in its buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u32,
    /// Length in bytes.
    pub len: u32,
}

impl Span {
    /// The same bytes in a buffer without its first `offset` bytes, which lie before the span.
    pub(super) fn moved_back(self, offset: usize) -> Span {
        Span { start: self.start - offset as u32, len: self.len }
    }
}

/// The arguments of a request, the command's name first. Never empty.
#[derive(Clone, Copy, Debug)]
pub struct Args<'a> {
    buffer: &'a [u8],
    spans: &'a [Span],
}

impl<'a> Args<'a> {
    /// Every span must lie within `buffer`, and there must be at least one.
    pub fn new(buffer: &'a [u8], spans: &'a [Span]) -> Self {
        debug_assert!(!spans.is_empty());
        Args { buffer, spans }
    }

    /// Number of arguments, the command's name included.
    #[inline]
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// The argument at `index`; panics when out of range, as slices do (arity is checked before a
    /// handler runs).
    #[inline]
    pub fn at(&self, index: usize) -> &'a [u8] {
        let span = self.spans[index];
        &self.buffer[span.start as usize..][..span.len as usize]
    }

    /// The argument at `index`, if there is one.
    #[inline]
    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        (index < self.spans.len()).then(|| self.at(index))
    }

    /// The arguments from `first` on as a request of their own; there must be one.
    pub fn skip(&self, first: usize) -> Args<'a> {
        Args::new(self.buffer, &self.spans[first..])
    }

    /// All arguments from `first` on.
    pub fn iter_from(
        &self,
        first: usize,
    ) -> impl ExactSizeIterator<Item = &'a [u8]> + Clone + use<'a> {
        let args = *self;
        (first.min(args.len())..args.len()).map(move |i| args.at(i))
    }

    /// Bytes of all arguments together.
    pub fn bytes(&self) -> usize {
        self.spans.iter().map(|s| s.len as usize).sum()
    }

    /// A copy that outlives the query buffer.
    pub fn to_owned(&self) -> OwnedArgs {
        OwnedArgs::from_parts(self.iter_from(0))
    }
}

/// Arguments that own their bytes: one buffer, one list of spans.
#[derive(Clone, Debug)]
pub struct OwnedArgs {
    buffer: Box<[u8]>,
    spans: Box<[Span]>,
}

impl OwnedArgs {
    /// Copies `parts` (at least one) into one buffer.
    pub fn from_parts<'p>(parts: impl Iterator<Item = &'p [u8]> + Clone) -> Self {
        let mut buffer = Vec::with_capacity(parts.clone().map(<[u8]>::len).sum());
        let spans = parts
            .map(|part| {
                let span = Span { start: buffer.len() as u32, len: part.len() as u32 };
                buffer.extend_from_slice(part);
                span
            })
            .collect();
        OwnedArgs { buffer: buffer.into_boxed_slice(), spans }
    }

    /// The arguments, borrowed.
    pub fn args(&self) -> Args<'_> {
        Args::new(&self.buffer, &self.spans)
    }

    /// Heap bytes held.
    pub fn heap_bytes(&self) -> usize {
        self.buffer.len() + size_of_val(&*self.spans)
    }
}
