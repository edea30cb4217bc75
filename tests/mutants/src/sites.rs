//! Where a mistake can be made, and which.

use std::fmt;
use std::ops::Range;

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{BinOp, Expr, ReturnType, Type, UnOp};

/// A mistake.
#[derive(Debug)]
pub struct Site {
    /// The file, below the directory of the volume.
    pub file: &'static str,
    /// The line.
    pub line: usize,
    /// What is done.
    what: String,
    /// What goes in, before and behind a range of the source.
    pub range: Range<usize>,
    pub before: Insert,
    pub behind: &'static str,
}

/// What goes in before: text around the mistake's number.
#[derive(Debug)]
pub struct Insert(String, String);

impl Insert {
    /// The text, for a mistake of this number.
    pub fn text(&self, number: u32) -> String {
        format!("{}crate::mutant::on({number}){}", self.0, self.1)
    }
}

impl Site {
    /// Its number: its place among all.
    pub fn number(&self, all: &[Self]) -> u32 {
        all.iter()
            .position(|site| std::ptr::eq(site, self))
            .unwrap_or(usize::MAX) as u32
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.what)
    }
}

/// All of a file.
pub fn find(source: &str, file: &'static str) -> Result<Vec<Site>, String> {
    let parsed = syn::parse_file(source).map_err(|error| format!("{file}: {error}"))?;
    let mut finder = Finder {
        source,
        file,
        sites: Vec::new(),
        function: String::new(),
    };
    finder.visit_file(&parsed);
    Ok(finder.sites)
}

struct Finder<'s> {
    source: &'s str,
    file: &'static str,
    sites: Vec<Site>,
    function: String,
}

impl Finder<'_> {
    fn add(
        &mut self,
        span: Span,
        what: &str,
        range: Range<usize>,
        before: Insert,
        behind: &'static str,
    ) {
        self.sites.push(Site {
            file: self.file,
            line: span.start().line,
            what: format!("{what} in {}", self.function),
            range,
            before,
            behind,
        });
    }

    /// The source on one line, so that errors are told at the lines of the source; `None` if there are comments in it.
    fn text(&self, range: Range<usize>) -> Option<String> {
        let text = &self.source[range];
        (!text.contains("//")).then(|| text.replace('\n', " "))
    }

    /// Something else in place of an expression.
    fn instead(&mut self, expression: &Expr, what: &str, other: &str) {
        let before = Insert("(if ".to_owned(), format!(" {{ {other} }} else {{ ("));
        let range = expression.span().byte_range();
        self.add(expression.span(), what, range, before, ") })");
    }

    fn body(&mut self, signature: &syn::Signature, block: &syn::Block) {
        if signature.constness.is_some() || block.stmts.is_empty() {
            return;
        }
        let values: &[&str] = match &signature.output {
            ReturnType::Default => &["()"],
            ReturnType::Type(_, output) => values_of(output),
        };
        let at = block.brace_token.span.open().byte_range().end;
        for value in values {
            let before = Insert(" if ".to_owned(), format!(" {{ return {value}; }}"));
            self.add(
                signature.span(),
                &format!("return {value} at once"),
                at..at,
                before,
                "",
            );
        }
    }
}

/// What a function could return without doing anything.
fn values_of(output: &Type) -> &'static [&'static str] {
    let Type::Path(path) = output else { return &[] };
    let Some(last) = path.path.segments.last() else {
        return &[];
    };
    let first = match &last.arguments {
        syn::PathArguments::AngleBracketed(arguments) => arguments.args.first(),
        _ => None,
    };
    match (last.ident.to_string().as_str(), first) {
        ("bool", _) => &["true", "false"],
        ("u8" | "u16" | "u32" | "u64" | "usize" | "i32", _) => &["0", "1"],
        ("Option", _) => &["None"],
        ("Result", Some(syn::GenericArgument::Type(Type::Tuple(unit))))
            if unit.elems.is_empty() =>
        {
            &["Ok(())"]
        }
        ("Result", Some(syn::GenericArgument::Type(Type::Path(inner)))) => {
            match inner
                .path
                .segments
                .last()
                .map(|name| name.ident.to_string())
            {
                Some(name) if name == "bool" => &["Ok(true)", "Ok(false)"],
                Some(name) if name == "Option" => &["Ok(None)"],
                _ => &[],
            }
        }
        _ => &[],
    }
}

/// What an operator may be mistaken for.
fn others_of(operator: &BinOp) -> &'static [&'static str] {
    match operator {
        BinOp::Eq(_) => &["!="],
        BinOp::Ne(_) => &["=="],
        BinOp::Lt(_) => &["==", ">", "<="],
        BinOp::Gt(_) => &["==", "<", ">="],
        BinOp::Le(_) => &[">"],
        BinOp::Ge(_) => &["<"],
        BinOp::And(_) => &["||"],
        BinOp::Or(_) => &["&&"],
        BinOp::Add(_) => &["-", "*"],
        BinOp::Sub(_) => &["+", "/"],
        BinOp::Mul(_) => &["+", "/"],
        BinOp::Div(_) => &["%", "*"],
        BinOp::Rem(_) => &["/", "+"],
        BinOp::Shl(_) => &[">>"],
        BinOp::Shr(_) => &["<<"],
        BinOp::BitAnd(_) => &["|", "^"],
        BinOp::BitOr(_) => &["&", "^"],
        BinOp::BitXor(_) => &["|", "&"],
        BinOp::AddAssign(_) => &["-=", "*="],
        BinOp::SubAssign(_) => &["+=", "/="],
        BinOp::BitAndAssign(_) => &["|=", "^="],
        BinOp::BitOrAssign(_) => &["&=", "^="],
        BinOp::ShlAssign(_) => &[">>="],
        BinOp::ShrAssign(_) => &["<<="],
        _ => &[],
    }
}

fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || matches!(&attribute.meta, syn::Meta::List(list) if list.path.is_ident("cfg") && list.tokens.to_string() == "test")
    })
}

impl<'a> Visit<'a> for Finder<'_> {
    fn visit_item_mod(&mut self, item: &'a syn::ItemMod) {
        if !is_for_tests(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_fn(&mut self, item: &'a syn::ItemFn) {
        if item.sig.constness.is_none() {
            self.function = item.sig.ident.to_string();
            self.body(&item.sig, &item.block);
            visit::visit_block(self, &item.block);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'a syn::ImplItemFn) {
        if item.sig.constness.is_none() {
            self.function = item.sig.ident.to_string();
            self.body(&item.sig, &item.block);
            visit::visit_block(self, &item.block);
        }
    }

    // What is computed when the engine is built.
    fn visit_item_const(&mut self, _: &'a syn::ItemConst) {}
    fn visit_impl_item_const(&mut self, _: &'a syn::ImplItemConst) {}
    fn visit_item_static(&mut self, _: &'a syn::ItemStatic) {}
    fn visit_type(&mut self, _: &'a Type) {}
    fn visit_pat(&mut self, _: &'a syn::Pat) {}
    fn visit_expr_repeat(&mut self, repeat: &'a syn::ExprRepeat) {
        self.visit_expr(&repeat.expr);
    }

    fn visit_arm(&mut self, arm: &'a syn::Arm) {
        if let Some((_, guard)) = &arm.guard {
            let range = guard.span().byte_range();
            let always = Insert(String::new(), " || (".to_owned());
            self.add(
                guard.span(),
                "a guard that always holds",
                range.clone(),
                always,
                ")",
            );
            let never = Insert("!".to_owned(), " && (".to_owned());
            self.add(guard.span(), "a guard that never holds", range, never, ")");
        }
        visit::visit_arm(self, arm);
    }

    fn visit_expr_binary(&mut self, binary: &'a syn::ExprBinary) {
        let whole = Expr::Binary(binary.clone());
        let left = self.text(binary.left.span().byte_range());
        let right = self.text(binary.right.span().byte_range());
        if let (Some(left), Some(right)) = (left, right) {
            let operator = &self.source[binary.op.span().byte_range()];
            for other in others_of(&binary.op) {
                let what = format!("{operator} to {other}");
                self.instead(&whole, &what, &format!("({left}) {other} ({right})"));
            }
        }
        visit::visit_expr_binary(self, binary);
    }

    fn visit_expr_unary(&mut self, unary: &'a syn::ExprUnary) {
        if let (UnOp::Not(_) | UnOp::Neg(_), Some(text)) =
            (&unary.op, self.text(unary.expr.span().byte_range()))
        {
            let operator = &self.source[unary.op.span().byte_range()];
            let whole = Expr::Unary(unary.clone());
            self.instead(&whole, &format!("without {operator}"), &text);
        }
        visit::visit_expr_unary(self, unary);
    }
}
