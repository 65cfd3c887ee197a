using OpenPlatform.ServiceDefaults.Deployment;
using Orders;

ServiceStart.Prepare(typeof(OrdersApp).Assembly);
var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults();
builder.AddInstanceLease();
builder.Services.AddBadRequestProblems();
builder.Services.AddOpenApi();
builder.Services.AddSingleton(_ => OrderStore.Seeded());

var app = builder.Build();
app.UseBadRequestProblems();
app.UseStatusCodePages();
app.UseInstanceHeader();
app.MapDefaultEndpoints();
app.MapOpenApi();
app.MapOrders();
app.MapTrouble();
await app.RunServiceAsync();

namespace Orders
{
    /// <summary>Names this application where a type is asked for, for example <c>WebApplicationFactory&lt;OrdersApp&gt;</c>.</summary>
    public sealed class OrdersApp;
}
