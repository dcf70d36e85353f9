//! Routes: one table, from which requests are dispatched and the OpenAPI document is made.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use hyper::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::check::BodyKind;
use crate::control::Context;
use crate::error::{Failure, nearest};
use crate::json;
use crate::query::{Param, Query, decode};
use crate::reply::{JSON, OCTETS, Reply, TEXT};

/// One call of a route.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) context: Arc<Context>,
    pub(crate) query: Query,
    pub(crate) accept: String,
    pub(crate) last_event_id: Option<u64>,
    pub(crate) body: Bytes,
    params: Vec<(&'static str, String)>,
}

impl Call {
    /// Returns a parameter of the path.
    pub(crate) fn param(&self, name: &str) -> &str {
        let mut params = self.params.iter();
        let param = params.find(|(other, _)| *other == name);
        param.map_or("", |(_, value)| value)
    }

    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        json::read(&self.body)
    }
}

pub(crate) type Outcome = Result<Reply, Failure>;
type Waiting = Pin<Box<dyn Future<Output = Outcome> + Send>>;
/// Function that may block.
pub(crate) type Blocking = Arc<dyn Fn(&Call) -> Outcome + Send + Sync>;

/// Function of a route.
#[derive(Clone)]
pub(crate) enum Handler {
    /// Called on a thread that may block.
    Blocking(Blocking),
    /// Awaited on the thread of all connections.
    Waiting(Arc<dyn Fn(Call) -> Waiting + Send + Sync>),
}

/// Answer of a handler, with the status and type that the OpenAPI document states.
pub(crate) trait Answer {
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "it is for the OpenAPI document")
    )]
    const STATUS: u16 = 200;
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "it is for the OpenAPI document")
    )]
    const CONTENT_TYPE: &'static str;

    fn into_reply(self) -> Reply;

    #[cfg(test)]
    fn schema(schemas: &mut schemars::SchemaGenerator) -> Option<schemars::Schema>;
}

/// Declares a form of text that a route may answer with, for the OpenAPI document.
macro_rules! text_form {
    ($name:ident, $content_type:expr) => {
        struct $name(Reply);

        impl Answer for $name {
            const CONTENT_TYPE: &'static str = $content_type;

            fn into_reply(self) -> Reply {
                self.0
            }

            #[cfg(test)]
            fn schema(_: &mut schemars::SchemaGenerator) -> Option<schemars::Schema> {
                None
            }
        }
    };
}
pub(crate) use text_form;

/// JSON with the status 200.
pub(crate) struct Json<T>(pub(crate) T);

/// JSON with the status 201, and the path of what was made.
pub(crate) struct Created<T>(pub(crate) String, pub(crate) T);

/// Plain text.
pub(crate) struct Text(pub(crate) String);

/// Bytes.
pub(crate) struct Octets(pub(crate) Vec<u8>);

/// Answer without content: `{}`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Done {}

/// Body without content: `{}`.
#[derive(Debug, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// Type with a JSON schema. Only the tests make the document, so only they need the schemas.
#[cfg(test)]
pub(crate) trait Described: schemars::JsonSchema {}
#[cfg(test)]
impl<T: schemars::JsonSchema> Described for T {}
/// Type with a JSON schema. Only the tests make the document, so only they need the schemas.
#[cfg(not(test))]
pub(crate) trait Described {}
#[cfg(not(test))]
impl<T> Described for T {}

impl<T: Serialize + Described> Answer for Json<T> {
    const CONTENT_TYPE: &'static str = JSON;

    fn into_reply(self) -> Reply {
        Reply::json(StatusCode::OK, &self.0)
    }

    #[cfg(test)]
    fn schema(schemas: &mut schemars::SchemaGenerator) -> Option<schemars::Schema> {
        Some(schemas.subschema_for::<T>())
    }
}

impl<T: Serialize + Described> Answer for Created<T> {
    const STATUS: u16 = 201;
    const CONTENT_TYPE: &'static str = JSON;

    fn into_reply(self) -> Reply {
        Reply::json(StatusCode::CREATED, &self.1).header("location", self.0)
    }

    #[cfg(test)]
    fn schema(schemas: &mut schemars::SchemaGenerator) -> Option<schemars::Schema> {
        Some(schemas.subschema_for::<T>())
    }
}

impl Answer for Text {
    const CONTENT_TYPE: &'static str = TEXT;

    fn into_reply(self) -> Reply {
        Reply::of(StatusCode::OK, TEXT, self.0)
    }

    #[cfg(test)]
    fn schema(_: &mut schemars::SchemaGenerator) -> Option<schemars::Schema> {
        None
    }
}

impl Answer for Octets {
    const CONTENT_TYPE: &'static str = OCTETS;

    fn into_reply(self) -> Reply {
        Reply::of(StatusCode::OK, OCTETS, self.0)
    }

    #[cfg(test)]
    fn schema(_: &mut schemars::SchemaGenerator) -> Option<schemars::Schema> {
        None
    }
}

/// One route of the table.
pub(crate) struct Route {
    pub(crate) method: Method,
    /// Path with names in braces, such as `/v1/servers/{server}`.
    pub(crate) path: &'static str,
    /// Name of the operation, unique in the table.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "it is for the OpenAPI document")
    )]
    pub(crate) id: &'static str,
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "it is for the OpenAPI document")
    )]
    pub(crate) summary: &'static str,
    pub(crate) params: &'static [Param],
    pub(crate) body: Option<BodyKind>,
    pub(crate) handler: Handler,
    #[cfg(test)]
    pub(crate) described: DescribedRoute,
}

/// Schemas of a route, for the OpenAPI document.
#[cfg(test)]
pub(crate) struct DescribedRoute {
    pub(crate) request: Option<fn(&mut schemars::SchemaGenerator) -> schemars::Schema>,
    pub(crate) answers: Vec<DescribedAnswer>,
}

/// Answer of a route, for the OpenAPI document.
#[cfg(test)]
pub(crate) struct DescribedAnswer {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) schema: fn(&mut schemars::SchemaGenerator) -> Option<schemars::Schema>,
}

#[cfg(test)]
impl DescribedAnswer {
    fn of<A: Answer>() -> Self {
        Self {
            status: A::STATUS,
            content_type: A::CONTENT_TYPE,
            schema: A::schema,
        }
    }
}

impl Route {
    /// Route that reads.
    pub(crate) fn get<A: Answer + 'static>(
        path: &'static str,
        id: &'static str,
        summary: &'static str,
        handler: fn(&Call) -> Result<A, Failure>,
    ) -> Self {
        let handler: Blocking = Arc::new(move |call| handler(call).map(A::into_reply));
        Self::of::<A>(Method::GET, path, id, summary, Handler::Blocking(handler))
    }

    /// Route that removes.
    pub(crate) fn delete<A: Answer + 'static>(
        path: &'static str,
        id: &'static str,
        summary: &'static str,
        handler: fn(&Call) -> Result<A, Failure>,
    ) -> Self {
        Self {
            method: Method::DELETE,
            ..Self::get(path, id, summary, handler)
        }
    }

    /// Route with a body of JSON.
    pub(crate) fn post<B: DeserializeOwned + Described + 'static, A: Answer + 'static>(
        path: &'static str,
        id: &'static str,
        summary: &'static str,
        handler: fn(&Call, B) -> Result<A, Failure>,
    ) -> Self {
        let handler: Blocking =
            Arc::new(move |call| handler(call, call.json()?).map(A::into_reply));
        let route = Self::of::<A>(Method::POST, path, id, summary, Handler::Blocking(handler));
        route.with_body::<B>()
    }

    /// Route that replaces, with a body of JSON.
    pub(crate) fn put<B: DeserializeOwned + Described + 'static, A: Answer + 'static>(
        path: &'static str,
        id: &'static str,
        summary: &'static str,
        handler: fn(&Call, B) -> Result<A, Failure>,
    ) -> Self {
        Self {
            method: Method::PUT,
            ..Self::post(path, id, summary, handler)
        }
    }

    /// Route that replaces, with a body of bytes.
    pub(crate) fn put_octets<A: Answer + 'static>(
        path: &'static str,
        id: &'static str,
        summary: &'static str,
        handler: fn(&Call) -> Result<A, Failure>,
    ) -> Self {
        Self {
            method: Method::PUT,
            body: Some(BodyKind::Octets),
            ..Self::get(path, id, summary, handler)
        }
    }

    /// Route whose answer is awaited.
    pub(crate) fn waiting<A: Answer, F>(
        method: Method,
        path: &'static str,
        id: &'static str,
        summary: &'static str,
        handler: fn(Call) -> F,
    ) -> Self
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let handler = Handler::Waiting(Arc::new(move |call| Box::pin(handler(call))));
        Self::of::<A>(method, path, id, summary, handler)
    }

    /// The route with a body of JSON.
    pub(crate) fn with_body<B: Described + 'static>(self) -> Self {
        Self {
            body: Some(BodyKind::Json),
            #[cfg(test)]
            described: DescribedRoute {
                request: Some(|schemas| schemas.subschema_for::<B>()),
                ..self.described
            },
            ..self
        }
    }

    /// The route with query parameters.
    pub(crate) fn query(self, params: &'static [Param]) -> Self {
        Self { params, ..self }
    }

    /// The route with one more form of answer.
    #[cfg_attr(not(test), expect(unused_mut, reason = "the tests use it"))]
    pub(crate) fn or<A: Answer>(mut self) -> Self {
        #[cfg(test)]
        self.described.answers.push(DescribedAnswer::of::<A>());
        self
    }

    fn of<A: Answer>(
        method: Method,
        path: &'static str,
        id: &'static str,
        summary: &'static str,
        handler: Handler,
    ) -> Self {
        Self {
            method,
            path,
            id,
            summary,
            params: &[],
            body: None,
            handler,
            #[cfg(test)]
            described: DescribedRoute {
                request: None,
                answers: vec![DescribedAnswer::of::<A>()],
            },
        }
    }

    /// Matches a path, and returns the values of its names.
    fn matches(&self, segments: &[&str]) -> Option<Vec<(&'static str, String)>> {
        let mut params = Vec::new();
        let mut pattern = self.path.split('/').skip(1);
        for segment in segments {
            let own = pattern.next()?;
            match own.strip_prefix('{').and_then(|own| own.strip_suffix('}')) {
                Some(name) => params.push((name, (*segment).to_owned())),
                None if own == *segment => {}
                None => return None,
            }
        }
        pattern.next().is_none().then_some(params)
    }
}

/// Route of a request, and the parameters of its path.
pub(crate) struct Found<'r> {
    pub(crate) route: &'r Route,
    params: Vec<(&'static str, String)>,
}

/// Returns the path of the route that is nearest to a misspelt path. Its parameters cost nothing.
fn nearest_route(path: &str, routes: &[Route]) -> Option<&'static str> {
    let segments: Vec<&str> = path.split('/').collect();
    let filled = routes.iter().map(|route| {
        let own = route.path.split('/').enumerate();
        let own = own.map(|(at, own)| match segments.get(at) {
            Some(segment) if own.starts_with('{') => segment,
            _ => own,
        });
        (own.collect::<Vec<_>>().join("/"), route.path)
    });
    let filled: Vec<(String, &'static str)> = filled.collect();
    let near = nearest(path, filled.iter().map(|(filled, _)| filled.as_str()))?.to_owned();
    let found = filled.into_iter().find(|(filled, _)| *filled == near);
    found.map(|(_, route)| route)
}

/// Finds the route of a request.
///
/// # Errors
///
/// If no route has the path, or none with this method.
pub(crate) fn find<'r>(
    routes: &'r [Route],
    method: &Method,
    path: &str,
) -> Result<Found<'r>, Failure> {
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let found = routes
        .iter()
        .filter_map(|route| Some((route, route.matches(&segments)?)));
    let found: Vec<_> = found.collect();
    // A name such as `clear` is no id.
    let is_named = found.iter().any(|(route, _)| !route.path.ends_with('}'));
    let mut methods: Vec<&str> = Vec::new();
    for (route, params) in found {
        if is_named && route.path.ends_with('}') {
            continue;
        }
        if route.method == *method {
            let decoded = params
                .into_iter()
                .map(|(name, value)| Ok((name, decode(&value)?)));
            let params = decoded.collect::<Result<_, Failure>>()?;
            return Ok(Found { route, params });
        }
        methods.push(route.method.as_str());
    }
    if methods.is_empty() {
        let failure = Failure::not_found(format!("there is no route {method} {path}"));
        return Err(match nearest_route(path, routes) {
            Some(near) => failure.hint(format!("did you mean {near}?")),
            None => failure.hint("GET /v1/openapi.json lists all routes"),
        });
    }
    methods.sort_unstable();
    methods.dedup();
    let allow = methods.join(", ");
    let message = format!("{path} has no method {method}; it has {allow}");
    Err(Failure::method_not_allowed(message, allow))
}

impl Found<'_> {
    /// Makes the call, with what was sent.
    pub(crate) fn call(
        self,
        context: &Arc<Context>,
        query: Query,
        head: &hyper::http::request::Parts,
        body: Bytes,
    ) -> Call {
        let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
        Call {
            context: Arc::clone(context),
            query,
            accept: header("accept").unwrap_or_default().to_owned(),
            last_event_id: header("last-event-id").and_then(|id| id.trim().parse().ok()),
            body,
            params: self.params,
        }
    }
}
