using System.Text.Json;
using Npgsql;

namespace OpenPlatform.Bench.Catalog;

/// <summary>The floor behind HTTP: the same SQL through bare Npgsql in the smallest endpoint that Kestrel can have, and nothing else.</summary>
internal static class FloorServer
{
    public const string Command = "catalog-floor";
    private const string Read = "select id, name, created_at, etag from organizations where id = $1";

    public static async Task ServeAsync(string[] args)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls(args[0]);
        await using var database = NpgsqlDataSource.Create(args[1]);
        var app = builder.Build();
        app.Run(async context =>
        {
            var id = Guid.Parse(context.Request.Path.Value.AsSpan(1));
            await using var connection = await database.OpenConnectionAsync(context.RequestAborted);
            await using var command = new NpgsqlCommand(Read, connection) { Parameters = { new NpgsqlParameter<Guid> { TypedValue = id } } };
            await using var reader = await command.ExecuteReaderAsync(context.RequestAborted);
            await reader.ReadAsync(context.RequestAborted);
            context.Response.ContentType = "application/json";
            await using var json = new Utf8JsonWriter(context.Response.BodyWriter);
            json.WriteStartObject();
            json.WriteString("id", reader.GetGuid(0));
            json.WriteString("name", reader.GetString(1));
            json.WriteString("createdAt", reader.GetDateTime(2));
            json.WriteEndObject();
        });
        await app.RunAsync();
    }
}
