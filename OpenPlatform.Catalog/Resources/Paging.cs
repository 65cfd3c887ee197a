using System.Buffers;
using System.Buffers.Binary;
using System.Buffers.Text;
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Microsoft.AspNetCore.WebUtilities;
using OpenPlatform.Catalog.Problems;

namespace OpenPlatform.Catalog.Resources;

/// <summary>Which part of a list is asked for.</summary>
/// <param name="Cursor">Where the page before ended, from its <c>Link</c> header; absent: from the start.</param>
/// <param name="Limit">Most items on the page, 1 to 200; absent: 50.</param>
public sealed record PageQuery(
    [property: Description("Where the page before ended, from its Link header.")] string? Cursor,
    [property: Description("Most items on the page, 1 to 200; 50 when absent."), Range(1, PageQuery.MaxLimit)] int? Limit)
{
    public const int DefaultLimit = 50;
    public const int MaxLimit = 200;

    /// <summary>Checks the limit and decodes the cursor of a list that is ordered by id.</summary>
    internal Outcome<PageStart> Start()
    {
        if (CheckLimit() is { } problem)
        {
            return problem;
        }

        if (Cursor is null)
        {
            return new PageStart(Guid.Empty, Limit ?? DefaultLimit);
        }

        Span<byte> id = stackalloc byte[16];
        return TryDecode(Cursor, id) ? new PageStart(new Guid(id, bigEndian: true), Limit ?? DefaultLimit) : UnknownCursor();
    }

    /// <summary>Decodes a cursor that is base64url of exactly as many bytes as <paramref name="into"/> has.</summary>
    internal static bool TryDecode(string cursor, Span<byte> into) =>
        Base64Url.DecodeFromChars(cursor, into, out var read, out var written) == OperationStatus.Done && read == cursor.Length && written == into.Length;

    internal CatalogProblem? CheckLimit() => Limit is < 1 or > MaxLimit
        ? CatalogProblem.Malformed("The page cannot be given.", new ProblemError("?limit", $"must be 1 to {MaxLimit}"))
        : null;

    internal static CatalogProblem UnknownCursor() =>
        CatalogProblem.Malformed("The page cannot be given.", new ProblemError("?cursor", "is not one that this list gave; start without a cursor"));
}

/// <summary>Items after an id.</summary>
/// <param name="After">Exclusive; the empty id is before all others.</param>
internal sealed record PageStart(Guid After, int Limit)
{
    /// <summary>One more than the page holds: it tells whether there is a next page.</summary>
    public int Fetch => Limit + 1;
}

/// <summary>One page of a list. The next one is in the <c>Link</c> header with <c>rel="next"</c>.</summary>
public sealed record Page<T>(IReadOnlyList<T> Items);

internal static class PageAnswers
{
    /// <summary>200 with a page of a list that is ordered by id, and a link when there are more; 400 for a page that cannot be.</summary>
    /// <param name="fetch">Gives up to <see cref="PageStart.Fetch"/> items after <see cref="PageStart.After"/>.</param>
    public static async Task<IResult> ListAsync<T>(HttpContext context, PageQuery page, Func<PageStart, Task<IReadOnlyList<T>>> fetch)
        where T : ICatalogResource
    {
        var start = page.Start();
        if (start.Problem is not null)
        {
            return start.Problem;
        }

        var limit = start.Value.Limit;
        var fetched = await fetch(start.Value);
        if (fetched.Count <= limit)
        {
            return TypedResults.Ok(new Page<T>(fetched));
        }

        AddNextLink(context, Base64Url.EncodeToString(fetched[limit - 1].Id.ToByteArray(bigEndian: true)));
        return TypedResults.Ok(new Page<T>([.. fetched.Take(limit)]));
    }

    /// <summary>The same for what is numbered within something, such as its revisions; 404 when that is not there.</summary>
    /// <param name="from">Exclusive: where the first page starts.</param>
    /// <param name="fetch">Gives up to so many items (the second number) behind a number, in the order of the list; null: what they belong to is not there.</param>
    /// <param name="number">Of an item. The cursor is that of the last one on the page.</param>
    public static async Task<IResult> ListByNumberAsync<T>(HttpContext context, PageQuery page, int from, Func<int, int, Task<IReadOnlyList<T>?>> fetch, Func<T, int> number, CatalogProblem notFound)
    {
        if (page.CheckLimit() is { } problem)
        {
            return problem;
        }

        var last = new byte[sizeof(int)];
        BinaryPrimitives.WriteInt32BigEndian(last, from);
        if (page.Cursor is { } cursor && !PageQuery.TryDecode(cursor, last))
        {
            return PageQuery.UnknownCursor();
        }

        var limit = page.Limit ?? PageQuery.DefaultLimit;
        if (await fetch(BinaryPrimitives.ReadInt32BigEndian(last), limit + 1) is not { } fetched)
        {
            return notFound;
        }

        if (fetched.Count > limit)
        {
            BinaryPrimitives.WriteInt32BigEndian(last, number(fetched[limit - 1]));
            AddNextLink(context, Base64Url.EncodeToString(last));
        }

        return TypedResults.Ok(new Page<T>([.. fetched.Take(limit)]));
    }

    public static void AddNextLink(HttpContext context, string cursor)
    {
        // The same request with another cursor; a relative reference is right behind every proxy.
        var query = QueryHelpers.ParseQuery(context.Request.QueryString.Value);
        query["cursor"] = cursor;
        context.Response.Headers.Link = $"<{QueryHelpers.AddQueryString(context.Request.Path, query)}>; rel=\"next\"";
    }
}
