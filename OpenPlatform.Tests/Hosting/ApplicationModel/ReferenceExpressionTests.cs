using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;

namespace OpenPlatform.Tests.Hosting.ApplicationModel;

public sealed class ReferenceExpressionTests
{
    [Fact]
    public async Task Holes_are_filled_when_the_value_is_asked_for_and_are_expressions_in_a_manifest()
    {
        var builder = Apps.Running();
        var cache = builder.AddContainer("cache", "redis").WithEndpoint(targetPort: 6379, name: "tcp");
        var password = builder.AddParameter("cache-password", "p@ss", secret: true);
        var expression = ReferenceExpression.Create($"{cache.GetEndpoint("tcp").Property(EndpointProperty.HostAndPort)},password={password}");

        Assert.Equal("{cache.bindings.tcp.host}:{cache.bindings.tcp.port},password={cache-password.value}", expression.ValueExpression);
        var value = expression.GetValueAsync(TestContext.Current.CancellationToken).AsTask();
        Assert.False(value.IsCompleted); // the endpoint has no address yet
        builder.Allocate();
        Assert.Equal("localhost:50001,password=p@ss", await value);
    }

    [Fact]
    public async Task Literal_braces_stay_literal()
    {
        var parameter = Apps.Running().AddParameter("p", "v{1}");
        var expression = ReferenceExpression.Create($"{{\"a\": \"{parameter}\"}}{"{b}"}");
        Assert.Equal("{\"a\": \"v{1}\"}{b}", await expression.GetValueAsync(TestContext.Current.CancellationToken));
        Assert.Equal("{\"a\": \"{p.value}\"}{b}", expression.ValueExpression);
    }

    [Fact]
    public async Task The_uri_format_escapes_a_value()
    {
        var password = Apps.Running().AddParameter("p", "a/b c", secret: true);
        Assert.Equal("x://u:a%2Fb%20c@h", await ReferenceExpression.Create($"x://u:{password.Resource:uri}@h").GetValueAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task The_builder_puts_pieces_together_and_an_unknown_format_is_an_error()
    {
        var parameter = Apps.Running().AddParameter("p", "1");
        var pieces = new ReferenceExpressionBuilder();
        Assert.True(pieces.IsEmpty);
        pieces.AppendLiteral("a=");
        pieces.Append($"{parameter};");
        pieces.AppendFormatted("b=2");
        Assert.Equal("a=1;b=2", await pieces.Build().GetValueAsync(TestContext.Current.CancellationToken));
        var wrong = ReferenceExpression.Create($"{parameter.Resource:hex}x");
        var error = await Assert.ThrowsAsync<FormatException>(() => wrong.GetValueAsync(TestContext.Current.CancellationToken).AsTask());
        Assert.Contains("'hex'", error.Message, StringComparison.Ordinal);
    }
}
