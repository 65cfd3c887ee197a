using System.Reflection;
using Microsoft.Net.Http.Headers;
using OpenPlatform.Catalog.Problems;

namespace OpenPlatform.Catalog.Resources;

/// <summary>The <c>If-Match</c> header of a change: which states of the resource the caller knows. Bound from the request.</summary>
public sealed class IfMatch
{
    private readonly IList<EntityTagHeaderValue> _known;

    /// <summary>As if <c>*</c> had been sent: whatever state it is in.</summary>
    public static IfMatch Any { get; } = new([EntityTagHeaderValue.Any]);

    private IfMatch(IList<EntityTagHeaderValue> known) => _known = known;

    public static ValueTask<IfMatch?> BindAsync(HttpContext context, ParameterInfo parameter) =>
        ValueTask.FromResult<IfMatch?>(new(context.Request.GetTypedHeaders().IfMatch));

    /// <summary>Null when a resource with this <paramref name="etag"/> may be changed, otherwise 428 or 412.</summary>
    public CatalogProblem? Check(long etag)
    {
        if (_known.Count == 0)
        {
            return CatalogProblem.IfMatchRequired();
        }

        var current = new EntityTagHeaderValue($"\"{etag}\"");
        return _known.Any(known => known.Equals(EntityTagHeaderValue.Any) || known.Compare(current, useStrongComparison: true))
            ? null
            : CatalogProblem.Changed();
    }
}
