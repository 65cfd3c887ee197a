using System.ComponentModel;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Orders;

/// <summary>The orders resource: list, read, create.</summary>
internal static class OrderEndpoints
{
    private const int DefaultLimit = 20;
    private const int MaxLimit = 100;

    public static void MapOrders(this IEndpointRouteBuilder app)
    {
        var orders = app.MapGroup("/orders").WithTags("Orders");
        orders.MapGet("", List).WithName("listOrders").WithSummary("Lists orders, oldest first, page by page.")
            .ProducesValidationProblem();
        orders.MapGet("{id}", Get).WithName("getOrder").WithSummary("Reads one order.")
            .ProducesProblem(StatusCodes.Status404NotFound);
        orders.MapPost("", Create).WithName("createOrder").WithSummary("Places an order.")
            .ProducesValidationProblem();
    }

    private static Results<Ok<OrderPage>, ValidationProblem> List(
        OrderStore store,
        HttpContext context,
        [Description("Orders on a page, 1 to 100; 20 when absent.")] int? limit,
        [Description("nextCursor of the page before.")] string? cursor)
    {
        var size = limit ?? DefaultLimit;
        if (size is < 1 or > MaxLimit)
        {
            return Invalid("limit", $"A number from 1 to {MaxLimit}.");
        }

        // The cursor is the last order seen, not an offset: orders that come or go meanwhile shift nothing.
        var after = 0;
        if (cursor is not null && !OrderId.TryParse(cursor, out after))
        {
            return Invalid("cursor", "Not a cursor of this API. Use nextCursor of the page before, unchanged.");
        }

        var (items, more) = store.Page(after, size);
        var next = more ? items[^1].Id : null;
        if (next is not null)
        {
            // Relative, so that it holds behind a gateway that serves this API under another base path.
            context.Response.Headers.Link = $"<?limit={size}&cursor={next}>; rel=\"next\"";
        }

        return TypedResults.Ok(new OrderPage(items, next));
    }

    private static Results<Ok<Order>, ProblemHttpResult> Get(OrderStore store, string id) =>
        OrderId.TryParse(id, out var number) && store.FindOrNull(number) is { } order
            ? TypedResults.Ok(order)
            : TypedResults.Problem($"There is no order '{Shorten(id)}'.", statusCode: StatusCodes.Status404NotFound);

    private static Results<Created<Order>, ValidationProblem> Create(OrderStore store, TimeProvider time, NewOrder order)
    {
        var errors = NewOrderValidation.Check(order);
        if (errors.Count > 0)
        {
            return TypedResults.ValidationProblem(errors);
        }

        var lines = order.Lines!.Select(line => new OrderLine(line!.Sku!, line.Quantity, line.UnitPrice)).ToArray();
        var created = store.Add(order.Customer!, order.Currency ?? "EUR", lines, time.GetUtcNow());

        // Relative to /orders, for the same reason as the Link header.
        return TypedResults.Created($"orders/{created.Id}", created);
    }

    private static ValidationProblem Invalid(string field, string message) =>
        TypedResults.ValidationProblem(new Dictionary<string, string[]>(StringComparer.Ordinal) { [field] = [message] });

    private static string Shorten(string text) => text.Length <= 40 ? text : text[..40] + "…";
}
