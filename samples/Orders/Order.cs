namespace Orders;

/// <summary>An order as the API shows it.</summary>
/// <param name="Id"><c>ord_</c> and six digits, in the order of creation.</param>
/// <param name="Customer">Who ordered.</param>
/// <param name="Lines">What was ordered.</param>
/// <param name="Total">Sum of the lines, two decimal places.</param>
/// <param name="Currency">ISO 4217.</param>
/// <param name="CreatedAt">UTC.</param>
public sealed record Order(
    string Id, string Customer, IReadOnlyList<OrderLine> Lines, decimal Total, string Currency, DateTimeOffset CreatedAt);

/// <param name="Sku">Article number.</param>
/// <param name="Quantity">1 to 1000.</param>
/// <param name="UnitPrice">Price of one, two decimal places.</param>
public sealed record OrderLine(string Sku, int Quantity, decimal UnitPrice);

/// <summary>One page, newest order last.</summary>
/// <param name="Items">At most <c>limit</c> orders.</param>
/// <param name="NextCursor">Give it back as <c>cursor</c> for the next page; null on the last one.</param>
public sealed record OrderPage(IReadOnlyList<Order> Items, string? NextCursor);

/// <summary>What a caller sends to order.</summary>
/// <param name="Customer">Who orders, 1 to 100 characters.</param>
/// <param name="Currency">ISO 4217 code, three capital letters; EUR when absent.</param>
/// <param name="Lines">1 to 50 lines.</param>
public sealed record NewOrder(string? Customer, string? Currency, IReadOnlyList<NewOrderLine?>? Lines);

/// <param name="Sku">Article number, 1 to 40 characters.</param>
/// <param name="Quantity">1 to 1000.</param>
/// <param name="UnitPrice">0 to 1,000,000, at most two decimal places.</param>
public sealed record NewOrderLine(string? Sku, int Quantity, decimal UnitPrice);
